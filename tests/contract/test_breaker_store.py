"""The contract of `BreakerStore`: one suite for the memory adapter and for Firestore."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from lumimd.adapters.memory.breaker_store import MemoryBreakerStore
from lumimd.domain.commit import Conflict
from lumimd.domain.visit import Lease
from lumimd.policies.breaker import Breaker, Reason, State
from lumimd.ports.breaker_store import BreakerStore
from tests.support.services import START


@pytest.fixture(params=["memory", pytest.param("firestore", marks=pytest.mark.emulator)])
async def store(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[BreakerStore]:
    if request.param == "memory":
        yield MemoryBreakerStore()
        return
    from google.cloud import firestore

    from lumimd.adapters.firestore.breaker_store import FirestoreBreakerStore

    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", request.getfixturevalue("firestore_host"))
    # A new project is an empty database.
    client = firestore.AsyncClient(project=f"demo-{uuid.uuid4().hex[:12]}")
    yield FirestoreBreakerStore(client)
    client.close()


def half_open(holder: str = "first", name: str = "model") -> Breaker:
    """A breaker with every field set."""
    return Breaker(
        name=name,
        state=State.HALF_OPEN,
        opened_at=START,
        probe=Lease(holder=holder, until=START + timedelta(microseconds=1)),
        successes=1,
        reason=Reason.PAUSE_OVER,
        changed_at=START,
    )


async def read(store: BreakerStore, name: str = "model") -> tuple[Breaker, object]:
    found = await store.get(name)
    assert found is not None
    return found


async def test_a_breaker_that_was_never_saved_is_none(store: BreakerStore) -> None:
    assert await store.get("model") is None


async def test_a_saved_breaker_is_read_complete(store: BreakerStore) -> None:
    await store.save(None, half_open())
    assert (await read(store))[0] == half_open()


async def test_a_save_replaces_the_whole_document(store: BreakerStore) -> None:
    version = await store.save(None, half_open())
    await store.save(version, Breaker(name="model"))
    assert (await read(store))[0] == Breaker(name="model")


async def test_a_save_requires_the_version_that_was_read(store: BreakerStore) -> None:
    await store.save(None, Breaker(name="model"))
    (_, first), (_, second) = await read(store), await read(store)
    await store.save(first, half_open("first"))
    with pytest.raises(Conflict):
        await store.save(second, half_open("second"))
    assert (await read(store))[0] == half_open("first")


async def test_the_next_save_accepts_the_version_of_the_last_save(store: BreakerStore) -> None:
    version = await store.save(None, Breaker(name="model"))
    version = await store.save(version, half_open("one"))
    await store.save(version, half_open("two"))
    assert (await read(store))[0] == half_open("two")


async def test_an_existing_document_is_not_created_again(store: BreakerStore) -> None:
    await store.save(None, half_open())
    with pytest.raises(Conflict):
        await store.save(None, Breaker(name="model"))
    assert (await read(store))[0] == half_open()


async def test_a_deleted_document_cannot_be_saved(store: BreakerStore) -> None:
    version = await store.save(None, half_open(name="transcription"))
    with pytest.raises(Conflict):
        await store.save(version, half_open(name="model"))
    assert await store.get("model") is None


async def test_one_of_many_concurrent_probe_elections_succeeds(store: BreakerStore) -> None:
    version: object | None = None
    for round_ in range(2):  # the first round creates the document, the second changes it
        # Every instance writes another value: Firestore keeps the version of an unchanged document.
        saves = (store.save(version, half_open(f"{round_}-{n}")) for n in range(8))
        outcomes = await asyncio.gather(*saves, return_exceptions=True)
        (version,) = [each for each in outcomes if not isinstance(each, BaseException)]
        assert sum(isinstance(each, Conflict) for each in outcomes) == 7


async def test_breakers_are_independent(store: BreakerStore) -> None:
    await store.save(None, half_open(name="model"))
    assert await store.get("transcription") is None
    await store.save(None, Breaker(name="transcription"))
    assert (await read(store))[0] == half_open()
