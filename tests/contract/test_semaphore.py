"""The semaphore limits concurrent jobs at the provider: one suite for memory and Firestore."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from lumimd.adapters.memory import ManualClock
from lumimd.coordination.admission.semaphore import Semaphore
from lumimd.domain.paths import PERMITS
from lumimd.policies.permits import Cap, Shard
from lumimd.policies.priorities import Priority
from lumimd.stores.shared_documents import SharedDocuments
from tests.support.services import START
from tests.support.shared_documents import MEMORY_AND_FIRESTORE, documents_of

HOUR = timedelta(hours=1)
END = START + HOUR
TWENTY_FIVE = Cap.of(25)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture(params=MEMORY_AND_FIRESTORE)
def shards(request: pytest.FixtureRequest) -> Iterator[SharedDocuments[Shard]]:
    with documents_of(Shard, PERMITS, request) as documents:
        yield documents


@pytest.fixture
def instance(shards: SharedDocuments[Shard], clock: ManualClock) -> Callable[..., Semaphore]:
    return lambda cap=TWENTY_FIVE: Semaphore(shards, cap, clock)


async def names(semaphore: Semaphore) -> list[str]:
    return sorted(permit.holder for permit in await semaphore.holders())


async def test_all_permits_of_a_new_semaphore_are_free(instance: Callable[..., Semaphore]) -> None:
    assert await instance().holders() == ()
    assert await instance().free() == {Priority.URGENT: 25, Priority.LIVE: 25, Priority.BATCH: 19}


async def test_a_permit_is_held_until_it_is_released(instance: Callable[..., Semaphore]) -> None:
    semaphore = instance()
    assert await semaphore.take("v1/1", Priority.LIVE, END)
    assert await names(instance()) == ["v1/1"]
    assert (await semaphore.free())[Priority.LIVE] == 24
    await instance().release("v1/1")
    assert await semaphore.holders() == ()


async def test_a_holder_that_takes_again_has_one_permit(instance: Callable[..., Semaphore]) -> None:
    for _ in range(3):
        assert await instance().take("v1/1", Priority.LIVE, END)
    assert await names(instance()) == ["v1/1"]


async def test_taking_again_extends_a_permit_and_never_shortens_it(
    instance: Callable[..., Semaphore],
) -> None:
    for hours in (2, 3, 1):
        await instance().take("v1/1", Priority.LIVE, START + hours * HOUR)
    (permit,) = await instance().holders()
    assert (permit.since, permit.until) == (START, START + 3 * HOUR)


async def test_releasing_twice_or_without_a_permit_does_nothing(
    instance: Callable[..., Semaphore],
) -> None:
    await instance().release("v0/1")
    await instance().take("v1/1", Priority.LIVE, END)
    await instance().take("v2/1", Priority.LIVE, END)
    for _ in range(2):
        await instance().release("v1/1")
    assert await names(instance()) == ["v2/1"]


async def test_concurrent_instances_take_exactly_the_available_permits(
    instance: Callable[..., Semaphore],
) -> None:
    instances = [instance() for _ in range(4)]
    takes = (instances[n % 4].take(f"v{n}/1", Priority.LIVE, END) for n in range(40))
    assert sum(await asyncio.gather(*takes)) == 25
    assert len(await instance().holders()) == 25
    assert (await instance().free())[Priority.LIVE] == 0


async def test_a_holder_without_room_in_its_home_shard_has_one_permit_in_another_shard(
    instance: Callable[..., Semaphore],
) -> None:
    semaphore = instance()
    taken = [f"v{n}/1" for n in range(40) if await semaphore.take(f"v{n}/1", Priority.LIVE, END)]
    assert len(taken) == 25
    for holder in taken:
        assert await semaphore.take(holder, Priority.LIVE, END)
    assert len(await semaphore.holders()) == 25
    for holder in taken:
        await semaphore.release(holder)
    assert await semaphore.holders() == ()


async def test_a_permit_in_another_shard_is_found_after_the_home_shard_has_room_again(
    instance: Callable[..., Semaphore],
) -> None:
    semaphore = instance()
    taken = [f"v{n}/1" for n in range(25)]
    for holder in taken:
        assert await semaphore.take(holder, Priority.LIVE, END)
    for leaves in taken[:12]:
        await semaphore.release(leaves)
    for stays in taken[12:]:
        assert await semaphore.take(stays, Priority.LIVE, END + HOUR)
    assert await names(semaphore) == sorted(taken[12:])


async def test_the_permit_of_a_crashed_holder_expires(
    instance: Callable[..., Semaphore], clock: ManualClock
) -> None:
    one = Cap(1, 1)
    assert await instance(one).take("dead/1", Priority.LIVE, END)
    assert not await instance(one).take("v1/1", Priority.LIVE, END + HOUR)
    clock.advance(HOUR)
    assert await instance(one).take("v1/1", Priority.LIVE, END + HOUR)
    assert await names(instance(one)) == ["v1/1"]


async def test_batch_visits_leave_permits_for_live_visits(
    instance: Callable[..., Semaphore],
) -> None:
    semaphore = instance()
    batch = [await semaphore.take(f"b{n}/1", Priority.BATCH, END) for n in range(40)]
    assert sum(batch) == 19
    live = [await semaphore.take(f"v{n}/1", Priority.LIVE, END) for n in range(40)]
    assert sum(live) == 6


async def test_a_lower_cap_admits_no_holder_until_enough_permits_are_released(
    instance: Callable[..., Semaphore],
) -> None:
    for n in range(10):
        assert await instance(Cap(10, 7)).take(f"v{n}/1", Priority.LIVE, END)
    lower = instance(Cap(5, 3))
    for n in range(5):
        assert not await lower.take("new/1", Priority.LIVE, END)
        await lower.release(f"v{n}/1")
    assert not await lower.take("new/1", Priority.LIVE, END)
    await lower.release("v5/1")
    assert await lower.take("new/1", Priority.LIVE, END)
