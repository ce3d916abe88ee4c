"""The contract of `Deletions` and `RetentionQueries`: memory, simulated and Firestore stores."""

import uuid
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from datetime import timedelta

import pytest

from lumimd.adapters.firestore.database import FirestoreDatabase
from lumimd.adapters.memory import MemoryVisitStore
from lumimd.domain.commit import Commit, Conflict, Stored
from lumimd.domain.visit import Deletion, Hold, ProcessingStatus
from lumimd.ports.database import Write
from lumimd.ports.paging import Page
from lumimd.stores.deletions import Deletions
from lumimd.stores.retention_queries import RetentionQueries
from lumimd.stores.visit_store import VisitStore
from tests.contract.test_visit_store import action, entry, new_visit
from tests.simulation.store import Documents
from tests.simulation.store_ports import SimulatedArchive, SimulatedDeletions, SimulatedVisitStore
from tests.support.services import START, transcript

HOUR = timedelta(hours=1)


@dataclass
class Stores:
    visits: VisitStore
    deletions: Deletions
    archive: RetentionQueries


@pytest.fixture(
    params=["memory", "simulated", pytest.param("firestore", marks=pytest.mark.emulator)]
)
async def stores(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Stores]:
    if request.param == "memory":
        store = MemoryVisitStore()
        yield Stores(store, Deletions(store.database), RetentionQueries(store.database))
        return
    if request.param == "simulated":
        documents = Documents()
        yield Stores(
            SimulatedVisitStore(documents),
            SimulatedDeletions(documents),
            SimulatedArchive(documents),
        )
        return
    from google.cloud import firestore

    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", request.getfixturevalue("firestore_host"))
    client = firestore.AsyncClient(project=f"demo-{uuid.uuid4().hex[:12]}")
    database = FirestoreDatabase(lambda: client)
    yield Stores(
        VisitStore(database),
        Deletions(database),
        RetentionQueries(database),
    )
    client.close()


def deletion(visit_id: str = "v1", **fields: object) -> Deletion:
    made = Deletion(
        visit_id=visit_id,
        user_id="u1",
        requested_at=START,
        settled_at=START + HOUR,
        wake_at=START,
        folder=f"visits/u1/{visit_id}/",
        counts={"visits": 1},
    )
    return made.model_copy(update=fields)


async def visit_with_everything(stores: Stores, visit_id: str = "v1") -> Stored:
    pages = transcript().pages()
    commit = Commit(
        new_visit(visit_id),
        entries=(entry(0), entry(1)),
        pages=pages,
        actions=(action(0, visit_id=visit_id), action(1, visit_id=visit_id)),
    )
    return await stores.visits.create(commit)


async def test_a_deleted_visit_is_not_created_again(stores: Stores) -> None:
    stored = await visit_with_everything(stores)
    await stores.deletions.begin(stored, deletion())
    with pytest.raises(Conflict):
        await stores.visits.create(Commit(new_visit("v1"), entries=(entry(0),)))
    assert await stores.visits.get("v1") is None
    assert await stores.deletions.get("v1") is not None
    await stores.visits.create(Commit(new_visit("v2"), entries=(entry(0),)))


async def test_a_visit_is_removed_and_its_deletion_receipt_written_in_one_commit(
    stores: Stores,
) -> None:
    stored = await visit_with_everything(stores)
    assert await stores.deletions.get("v1") is None
    await stores.deletions.begin(stored, deletion())
    assert await stores.visits.get("v1") is None
    found = await stores.deletions.get("v1")
    assert found
    assert found[0] == deletion()


async def test_a_concurrently_changed_visit_is_not_deleted(stores: Stores) -> None:
    stored = await visit_with_everything(stores)
    await stores.visits.save(stored, Commit(new_visit(title="changed")))
    with pytest.raises(Conflict):
        await stores.deletions.begin(stored, deletion())
    assert await stores.visits.get("v1")
    assert await stores.deletions.get("v1") is None


async def test_deleting_a_restored_visit_replaces_its_old_deletion_receipt(
    stores: Stores,
) -> None:
    restored = await restored_visit(stores)
    old = await stores.deletions.get("v1")
    assert old
    twice = deletion(counts={"visits": 2})
    with pytest.raises(Conflict):
        await stores.deletions.begin(restored, twice)
    await stores.deletions.begin(restored, twice, again=old[1])
    found = await stores.deletions.get("v1")
    assert found
    assert found[0] == twice
    assert await stores.visits.get("v1") is None


async def test_a_changed_deletion_receipt_stops_the_deletion_of_a_restored_visit(
    stores: Stores,
) -> None:
    restored = await restored_visit(stores)
    old = await stores.deletions.get("v1")
    assert old
    await stores.deletions.save(old[1], deletion(counts={"visits": 1, "recordings": 1}))
    with pytest.raises(Conflict):
        await stores.deletions.begin(restored, deletion(), again=old[1])
    assert await stores.visits.get("v1")


async def restored_visit(stores: Stores) -> Stored:
    """Return a visit, written without a precondition, that has a deletion receipt.

    A restored backup leaves such a visit.
    """
    await stores.deletions.create(deletion())
    if isinstance(stores.visits, SimulatedVisitStore):
        return stores.visits.documents.write(Commit(new_visit()))
    assert isinstance(stores.visits, VisitStore)
    await stores.visits.database.commit(Write("visits/v1", new_visit().to_stored()))
    stored = await stores.visits.get("v1")
    assert stored
    return stored


async def held_visit(stores: Stores) -> Stored:
    stored = await visit_with_everything(stores)
    mark = Hold(visit_id="v1", user_id="u1", held_at=START)
    return await stores.visits.save(stored, Commit(new_visit(legal_hold=True), hold=mark))


async def test_a_visit_is_not_deleted_while_its_legal_hold_exists(
    stores: Stores,
) -> None:
    stored = await held_visit(stores)
    mark = await stores.deletions.hold_of("v1")
    assert mark
    assert mark.user_id == "u1"
    with pytest.raises(Conflict):
        await stores.deletions.begin(stored, deletion())
    assert await stores.deletions.get("v1") is None
    released = await stores.visits.save(stored, Commit(new_visit(), no_hold=True))
    assert await stores.deletions.hold_of("v1") is None
    await stores.deletions.begin(released, deletion())
    assert await stores.visits.get("v1") is None


async def test_legal_holds_are_listed_oldest_first(stores: Stores) -> None:
    for hours, visit_id in enumerate(("b", "a", "c")):
        stored = await visit_with_everything(stores, visit_id)
        mark = Hold(visit_id=visit_id, user_id="u1", held_at=START + hours * HOUR)
        await stores.visits.save(stored, Commit(new_visit(visit_id), hold=mark))
    first = await stores.deletions.holds(2)
    rest = await stores.deletions.holds(2, first.cursor)
    assert [each.visit_id for page in (first, rest) for each in page.items] == ["b", "a", "c"]


async def test_deletions_since_an_instant_are_listed_oldest_first(stores: Stores) -> None:
    for hours, visit_id in enumerate(("before", "b", "a")):
        await stores.deletions.create(deletion(visit_id, requested_at=START + hours * HOUR))
    first = await stores.deletions.since(START + HOUR, 1)
    rest = await stores.deletions.since(START + HOUR, 5, first.cursor)
    assert [each.visit_id for page in (first, rest) for each in page.items] == ["b", "a"]


async def test_remains_finds_only_documents_of_the_visit(stores: Stores) -> None:
    stored = await visit_with_everything(stores)
    await visit_with_everything(stores, "v2")
    await stores.deletions.begin(stored, deletion())
    assert await stores.deletions.remains("v1")
    await stores.deletions.erase("v1")
    assert not await stores.deletions.remains("v1")
    assert await stores.deletions.remains("v2")


async def test_only_visits_of_the_user_are_listed_page_by_page(
    stores: Stores,
) -> None:
    for hours, (visit_id, user_id) in enumerate(
        (("old", "u1"), ("theirs", "u2"), ("middle", "u1"), ("new", "u1"))
    ):
        made = new_visit(visit_id, user_id=user_id, created_at=START + hours * HOUR)
        await stores.visits.create(Commit(made, entries=(entry(0),)))
    first = await stores.deletions.visits_of("u1", 2)
    rest = await stores.deletions.visits_of("u1", 2, first.cursor)
    assert [visit.visit_id for visit in (*first.items, *rest.items)] == ["new", "middle", "old"]
    assert rest.cursor is None


async def test_visit_ids_of_a_users_action_items_are_listed_page_by_page(stores: Stores) -> None:
    await visit_with_everything(stores, "v1")
    await visit_with_everything(stores, "v2")
    others = tuple(action(n, visit_id="v3").model_copy(update={"user_id": "u2"}) for n in range(2))
    made = new_visit("v3", user_id="u2")
    await stores.visits.create(Commit(made, entries=(entry(0),), actions=others))
    first = await stores.deletions.visits_named("u1", 3)
    rest = await stores.deletions.visits_named("u1", 3, first.cursor)
    assert sorted((*first.items, *rest.items)) == ["v1", "v1", "v2", "v2"]


async def test_a_deleted_visit_cannot_be_saved(stores: Stores) -> None:
    stored = await visit_with_everything(stores)
    await stores.deletions.begin(stored, deletion())
    with pytest.raises(Conflict):
        await stores.visits.save(stored, Commit(new_visit(), entries=(entry(2),)))
    assert await stores.visits.get("v1") is None


async def test_only_the_documents_of_the_visit_are_erased(stores: Stores) -> None:
    stored = await visit_with_everything(stores)
    await visit_with_everything(stores, "v2")
    await stores.deletions.begin(stored, deletion())
    erased = await stores.deletions.erase("v1")
    assert erased == {"transcript": 1, "history": 2, "actions": 2, "deadLetters": 0}
    assert not any((await stores.deletions.erase("v1")).values())
    assert await stores.visits.transcript("v1") == ()
    assert await stores.visits.history("v1") == ()
    assert await stores.visits.actions("v1") == ()
    assert len(await stores.visits.transcript("v2")) == len(transcript().utterances)
    assert len(await stores.visits.actions("v2")) == 2


async def test_a_concurrently_changed_deletion_receipt_is_not_overwritten(stores: Stores) -> None:
    await stores.deletions.begin(await visit_with_everything(stores), deletion())
    found = await stores.deletions.get("v1")
    assert found
    await stores.deletions.save(found[1], deletion(counts={"visits": 1, "recordings": 1}))
    with pytest.raises(Conflict):
        await stores.deletions.save(found[1], deletion(counts={}))
    after = await stores.deletions.get("v1")
    assert after
    assert after[0].counts == {"visits": 1, "recordings": 1}


async def test_a_deletion_receipt_without_a_visit_is_created_once(stores: Stores) -> None:
    await stores.deletions.create(deletion(counts={"visits": 1}))
    with pytest.raises(Conflict):
        await stores.deletions.create(deletion(counts={"visits": 2}))
    found = await stores.deletions.get("v1")
    assert found
    assert found[0].counts == {"visits": 1}


async def test_due_deletions_are_listed_longest_overdue_first(stores: Stores) -> None:
    times = {"v1": START + HOUR, "v2": START, "v3": START + 2 * HOUR, "v4": None}
    for visit_id, wake_at in times.items():
        stored = await visit_with_everything(stores, visit_id)
        await stores.deletions.begin(stored, deletion(visit_id, wake_at=wake_at))
    due = await stores.deletions.due(START + HOUR, 10)
    assert [each.visit_id for each in due.items] == ["v2", "v1"]
    first = await stores.deletions.due(START + HOUR, 1)
    rest = await stores.deletions.due(START + HOUR, 10, first.cursor)
    assert [each.visit_id for page in (first, rest) for each in page.items] == ["v2", "v1"]


async def test_retention_queries_list_visits_by_age(stores: Stores) -> None:
    for hours, visit_id in enumerate(("old", "middle", "new")):
        fields = {"created_at": START + hours * HOUR, "audio_erased_at": None}
        if visit_id == "middle":
            fields |= {
                "audio_erased_at": START,
                "processing_status": ProcessingStatus.COMPLETED,
            }
        await stores.visits.create(Commit(new_visit(visit_id, **fields)))
    until = START + HOUR

    async def ids(found: Awaitable[Page[Stored]]) -> list[str]:
        return [stored.visit.visit_id for stored in (await found).items]

    archive, late = stores.archive, START + 9 * HOUR
    assert await ids(archive.older(until, 10)) == ["old", "middle"]
    assert await ids(archive.older(until, 1)) == ["old"]
    assert await ids(archive.with_audio(until, 10)) == ["old"]
    assert await ids(archive.waiting(late, 10)) == ["old", "new"]
    assert await ids(archive.between(START, late, 10)) == ["middle", "new"]
    after = (await archive.older(late, 1)).cursor
    assert await ids(archive.older(late, 10, after)) == ["middle", "new"]
    assert await ids(archive.with_audio(late, 10, after)) == ["new"]
    assert await ids(archive.waiting(late, 10, after)) == ["new"]
    assert await ids(archive.between(START - HOUR, late, 1, after)) == ["middle"]
