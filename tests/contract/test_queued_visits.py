"""The contract of `QueuedVisits`: one suite for the memory adapter and for Firestore."""

import uuid
from collections.abc import Iterator

import pytest

from lumimd.adapters.firestore.database import FirestoreDatabase
from lumimd.adapters.memory import MemoryVisitStore
from lumimd.domain.commit import Commit, Stored
from lumimd.domain.visit import Visit
from lumimd.stores.queued_visits import QueuedVisits
from lumimd.stores.visit_store import VisitStore
from tests.support.services import START
from tests.support.shared_documents import MEMORY_AND_FIRESTORE

Queue = tuple[VisitStore, QueuedVisits]


@pytest.fixture(params=MEMORY_AND_FIRESTORE)
def queue(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Queue]:
    if request.param == "memory":
        store = MemoryVisitStore()
        yield store, QueuedVisits(store.database)
        return
    from google.cloud import firestore

    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", request.getfixturevalue("firestore_host"))
    client = firestore.AsyncClient(project=f"demo-{uuid.uuid4().hex[:12]}")
    database = FirestoreDatabase(lambda: client)
    yield (
        VisitStore(database),
        QueuedVisits(database),
    )
    client.close()


async def join(queue: Queue, visit_id: str, turn: int | None) -> Stored:
    visit = Visit(
        visit_id=visit_id, user_id="u", turn=turn, wake_at=START, created_at=START, updated_at=START
    )
    return await queue[0].create(Commit(visit))


async def waiting(queue: Queue, first: int, before: int, limit: int = 100) -> list[str]:
    return [stored.visit.visit_id for stored in await queue[1].waiting(first, before, limit)]


async def test_a_new_queue_contains_no_visit(queue: Queue) -> None:
    assert await waiting(queue, 0, 10**15) == []
    assert await queue[1].before(0, 7, "v1") == 0


async def test_queued_visits_are_ordered_by_turn_and_then_by_id(queue: Queue) -> None:
    for visit_id, turn in (("c", 2), ("a", 10), ("b", 2), ("e", 1), ("no", None)):
        await join(queue, visit_id, turn)
    assert await waiting(queue, 0, 100) == ["e", "b", "c", "a"]
    assert await waiting(queue, 0, 100, limit=2) == ["e", "b"]


async def test_only_visits_with_turns_of_the_given_priority_are_found(queue: Queue) -> None:
    priority = 10**15
    for visit_id, turn in (
        ("a", priority - 1),
        ("b", priority),
        ("c", 2 * priority - 1),
        ("d", 2 * priority),
    ):
        await join(queue, visit_id, turn)
    assert await waiting(queue, priority, 2 * priority) == ["b", "c"]


async def test_a_queued_visit_that_was_found_can_be_saved(queue: Queue) -> None:
    await join(queue, "a", 3)
    (stored,) = await queue[1].waiting(0, 10, 1)
    await queue[0].save(stored, Commit(stored.visit.model_copy(update={"turn": None})))
    assert await waiting(queue, 0, 10) == []


async def test_before_counts_the_visits_ahead_in_the_queue(queue: Queue) -> None:
    for visit_id, turn in (("a", 10), ("b", 11), ("c", 11), ("d", 11), ("e", 12), ("x", 5)):
        await join(queue, visit_id, turn)
    counts = [await queue[1].before(10, turn, name) for name, turn in (("a", 10), ("c", 11))]
    assert counts == [0, 2]
    assert await queue[1].before(10, 12, "e") == 4
