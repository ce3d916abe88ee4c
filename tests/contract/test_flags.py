"""An instance reads its feature flags from memory or from Firestore."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta

import pytest

from lumimd.adapters.memory import ManualClock
from lumimd.coordination.flags import SharedFlags
from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import Transient
from lumimd.domain.paths import OPS
from lumimd.policies.flags import KEY, Flags, Setting, Switch
from lumimd.policies.keeping import FLAGS_KEPT_FOR
from lumimd.stores.shared_documents import SharedDocuments
from tests.support.services import START
from tests.support.shared_documents import MEMORY_AND_FIRESTORE, Troubled, documents_of

OFF = Flags(processing=Setting(on=False, percent=12.5))


@pytest.fixture(params=MEMORY_AND_FIRESTORE)
def documents(request: pytest.FixtureRequest) -> Iterator[SharedDocuments[Flags]]:
    with documents_of(Flags, OPS, request) as documents:
        yield documents


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


async def test_without_a_flags_document_every_feature_is_on(
    documents: SharedDocuments[Flags], clock: ManualClock
) -> None:
    assert await SharedFlags(documents, clock).now() == Flags()


async def test_a_changed_switch_reaches_every_instance_within_seconds(
    documents: SharedDocuments[Flags], clock: ManualClock
) -> None:
    """A switch is turned off and on again without a deployment."""
    instances = [SharedFlags(documents, clock) for _ in range(2)]
    for instance in instances:
        assert (await instance.now()).is_on(Switch.PROCESSING)
    version = await documents.save(KEY, None, OFF)
    clock.advance(FLAGS_KEPT_FOR)
    assert [await instance.now() for instance in instances] == [OFF, OFF]
    await documents.save(KEY, version, Flags())
    clock.advance(FLAGS_KEPT_FOR)
    assert [await instance.now() for instance in instances] == [Flags(), Flags()]


async def test_an_instance_reads_the_store_every_few_seconds_at_most(clock: ManualClock) -> None:
    documents = Troubled(Flags)
    instance = SharedFlags(documents, clock)
    for _ in range(5):
        await asyncio.gather(*(instance.now() for _ in range(20)))
    assert documents.reads == 1
    clock.advance(FLAGS_KEPT_FOR)
    await asyncio.gather(*(instance.now() for _ in range(20)))
    assert documents.reads == 2


async def test_callers_during_the_first_read_wait_for_its_result(clock: ManualClock) -> None:
    """A cold start must not begin work that a flag has switched off."""
    documents = Troubled(Flags)
    await documents.save(KEY, None, OFF)
    instance = SharedFlags(documents, clock)
    assert await asyncio.gather(*(instance.now() for _ in range(20))) == [OFF] * 20


async def test_while_the_store_is_down_the_last_flags_are_used(clock: ManualClock) -> None:
    documents = Troubled(Flags)
    await documents.save(KEY, None, OFF)
    instance = SharedFlags(documents, clock)
    await instance.now()
    documents.trouble = Transient(ErrorCode.INTERNAL_ERROR)
    clock.advance(timedelta(hours=1))
    assert await instance.now() == OFF


async def test_after_a_failed_first_read_all_flags_are_on_and_the_store_is_read_again(
    clock: ManualClock,
) -> None:
    documents = Troubled(Flags)
    await documents.save(KEY, None, OFF)
    documents.trouble = Transient(ErrorCode.INTERNAL_ERROR)
    instance = SharedFlags(documents, clock)
    assert await instance.now() == Flags()
    documents.trouble = None
    clock.advance(FLAGS_KEPT_FOR)
    assert await instance.now() == OFF


async def test_an_invalid_flags_document_leaves_the_last_flags_in_force(clock: ManualClock) -> None:
    documents = Troubled(Flags)
    version = await documents.save(KEY, None, OFF)
    instance = SharedFlags(documents, clock)
    await instance.now()
    mistyped = Setting.model_construct(on=True, percent=1000)
    await documents.save(KEY, version, Flags.model_construct(processing=mistyped))
    clock.advance(FLAGS_KEPT_FOR)
    assert await instance.now() == OFF
