"""The contract of `SharedDocuments`: one suite for the memory adapter and for Firestore."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta

import pytest

from lumimd.coordination.shared_document import Shared
from lumimd.domain.commit import Conflict
from lumimd.domain.visit import Lease
from lumimd.policies.breaker import Breaker, Reason, State, key_of
from lumimd.policies.permits import Permit, Shard
from lumimd.policies.priorities import Priority, QueueState, first_turn
from lumimd.policies.token_bucket import Bucket
from lumimd.stores.shared_documents import SharedDocuments
from tests.support.services import START
from tests.support.shared_documents import MEMORY_AND_FIRESTORE, documents_of

LATER = START + timedelta(microseconds=1)


@pytest.fixture(params=MEMORY_AND_FIRESTORE)
def buckets(request: pytest.FixtureRequest) -> Iterator[SharedDocuments[Bucket]]:
    with documents_of(Bucket, "ops/limits/buckets", request) as documents:
        yield documents


@pytest.fixture(params=MEMORY_AND_FIRESTORE)
def shards(request: pytest.FixtureRequest) -> Iterator[SharedDocuments[Shard]]:
    with documents_of(Shard, "ops/slots/shards", request) as documents:
        yield documents


@pytest.fixture(params=MEMORY_AND_FIRESTORE)
def queue_states(request: pytest.FixtureRequest) -> Iterator[SharedDocuments[QueueState]]:
    with documents_of(QueueState, "ops", request) as documents:
        yield documents


@pytest.fixture(params=MEMORY_AND_FIRESTORE)
def breakers(request: pytest.FixtureRequest) -> Iterator[SharedDocuments[Breaker]]:
    with documents_of(Breaker, "ops", request) as documents:
        yield documents


def bucket(missing: int = 1, taker: str = "first") -> Bucket:
    return Bucket(missing=missing, at=START, taker=taker, expires_at=LATER)


async def read(documents: SharedDocuments[Bucket], key: str = "k") -> tuple[Bucket, object]:
    found = await documents.get(key)
    assert found is not None
    return found


async def test_get_returns_none_and_all_is_empty_without_documents(
    buckets: SharedDocuments[Bucket],
) -> None:
    assert await buckets.get("k") is None
    assert await buckets.all() == {}


async def test_a_stored_bucket_is_read_completely(buckets: SharedDocuments[Bucket]) -> None:
    wanted = bucket(missing=10_000 * 86_400_000_000)
    await buckets.save("k", None, wanted)
    assert (await read(buckets))[0] == wanted


async def test_a_stored_shard_is_read_completely(shards: SharedDocuments[Shard]) -> None:
    permit = Permit(holder="visit/1", priority=Priority.BATCH, since=START, until=LATER)
    wanted = Shard(permits=(permit, permit), spilled_until=LATER)
    await shards.save("0000", None, wanted)
    assert await shards.all() == {"0000": wanted}


async def test_a_stored_queue_state_is_read_completely(
    queue_states: SharedDocuments[QueueState],
) -> None:
    wanted = QueueState(
        turns={priority: first_turn(priority) + 7 for priority in Priority},
        ahead={Priority.BATCH: 16},
        now=4,
    )
    await queue_states.save("turns", None, wanted)
    found = await queue_states.get("turns")
    assert found is not None
    assert found[0] == wanted


async def test_a_stored_breaker_is_read_completely(breakers: SharedDocuments[Breaker]) -> None:
    wanted = Breaker(
        name="model",
        state=State.HALF_OPEN,
        opened_at=START,
        probe=Lease(holder="first", until=LATER),
        successes=1,
        reason=Reason.PAUSE_OVER,
        changed_at=START,
    )
    await breakers.save(key_of("model"), None, wanted)
    found = await breakers.get(key_of("model"))
    assert found is not None
    assert found[0] == wanted
    assert await breakers.get(key_of("transcription")) is None


async def test_a_save_replaces_the_whole_document(
    queue_states: SharedDocuments[QueueState],
) -> None:
    version = await queue_states.save(
        "turns", None, QueueState(turns={Priority.LIVE: 7}, ahead={Priority.LIVE: 1})
    )
    await queue_states.save("turns", version, QueueState(turns={Priority.BATCH: 9}))
    found = await queue_states.get("turns")
    assert found is not None
    assert found[0] == QueueState(turns={Priority.BATCH: 9})


async def test_a_save_requires_the_version_that_was_read(buckets: SharedDocuments[Bucket]) -> None:
    await buckets.save("k", None, bucket(1))
    (_, first), (_, second) = await read(buckets), await read(buckets)
    await buckets.save("k", first, bucket(2))
    with pytest.raises(Conflict):
        await buckets.save("k", second, bucket(3))
    assert (await read(buckets))[0] == bucket(2)


async def test_the_next_save_accepts_the_version_of_the_last_save(
    buckets: SharedDocuments[Bucket],
) -> None:
    version = await buckets.save("k", None, bucket(1))
    version = await buckets.save("k", version, bucket(2))
    await buckets.save("k", version, bucket(3))
    assert (await read(buckets))[0] == bucket(3)


async def test_an_existing_document_is_not_created_again(buckets: SharedDocuments[Bucket]) -> None:
    await buckets.save("k", None, bucket(1))
    with pytest.raises(Conflict):
        await buckets.save("k", None, bucket(2))
    assert (await read(buckets))[0] == bucket(1)


async def test_a_deleted_document_cannot_be_saved(buckets: SharedDocuments[Bucket]) -> None:
    """A document can expire between the read and the save."""
    version = await buckets.save("k", None, bucket(1))
    await buckets.delete("k")
    with pytest.raises(Conflict):
        await buckets.save("k", version, bucket(2))
    assert await buckets.get("k") is None


async def test_deleting_a_missing_document_does_nothing(buckets: SharedDocuments[Bucket]) -> None:
    await buckets.delete("k")
    assert await buckets.get("k") is None


async def test_all_documents_are_in_order_of_their_keys(
    buckets: SharedDocuments[Bucket],
) -> None:
    for key in ("0010", "0002", "0001"):
        await buckets.save(key, None, bucket(int(key)))
    assert [each.missing for each in (await buckets.all()).values()] == [1, 2, 10]


async def test_exactly_one_of_several_concurrent_saves_succeeds(
    buckets: SharedDocuments[Bucket],
) -> None:
    version: object | None = None
    for round_ in range(2):  # the first round creates the document, the second changes it
        saves = (buckets.save("k", version, bucket(n, f"{round_}-{n}")) for n in range(8))
        outcomes = await asyncio.gather(*saves, return_exceptions=True)
        (version,) = [each for each in outcomes if not isinstance(each, BaseException)]
        assert sum(isinstance(each, Conflict) for each in outcomes) == 7


async def test_concurrent_changes_by_several_instances_are_all_kept(
    buckets: SharedDocuments[Bucket],
) -> None:
    instances = [Shared(buckets) for _ in range(4)]

    async def one_more(instance: Shared[Bucket], number: int) -> int:
        def change(found: Bucket | None) -> tuple[Bucket, int]:
            before = found.missing if found else 0
            return bucket(before + 1, f"{number}"), before

        return await instance.change("k", change)

    calls = (one_more(instances[number % 4], number) for number in range(40))
    assert sorted(await asyncio.gather(*calls)) == list(range(40))
    assert (await read(buckets))[0].missing == 40
