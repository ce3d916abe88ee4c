"""The contract of `OwnerQueries`: one suite for the memory adapter and for Firestore."""

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from lumimd.adapters.firestore.database import FirestoreDatabase
from lumimd.adapters.memory import MemoryVisitStore
from lumimd.domain.commit import Commit, Conflict
from lumimd.domain.visit import Hold, Ledger, Status, Visit
from lumimd.domain.visit_groups import Group
from lumimd.stores.owner_queries import ListPosition, OwnerQueries
from lumimd.stores.visit_store import VisitStore
from tests.support.api import action_of, completed, failed, transcribing, visit_of
from tests.support.services import START


@dataclass
class OwnerData:
    """The owner queries, the visit store, and `raw`, which writes documents as a client does."""

    owner_queries: OwnerQueries
    store: VisitStore
    raw: Any

    async def has(self, *visits: Visit) -> None:
        for visit in visits:
            await self.store.create(Commit(visit))


@pytest.fixture(params=["memory", pytest.param("firestore", marks=pytest.mark.emulator)])
async def data(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[OwnerData]:
    if request.param == "memory":
        store = MemoryVisitStore()

        async def put(path: str, document: dict[str, Any]) -> None:
            store.raw[path] = document

        yield OwnerData(OwnerQueries(store.database), store, put)
        return
    from google.cloud import firestore

    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", request.getfixturevalue("firestore_host"))
    # A new project name gives the test an empty database.
    client = firestore.AsyncClient(project=f"demo-{uuid.uuid4().hex[:12]}")
    database = FirestoreDatabase(lambda: client)

    async def write(path: str, document: dict[str, Any]) -> None:
        await client.document(path).set(document)

    yield OwnerData(
        OwnerQueries(database),
        VisitStore(database),
        write,
    )
    client.close()


async def test_action_items_of_a_visit_under_legal_hold_cannot_be_changed(data: OwnerData) -> None:
    """Each commit checks the legal hold, because a hold can be set after the action is read."""
    await data.has(completed(visit_of("u", "held")), completed(visit_of("u", "free")))
    held = await data.owner_queries.add_action(action_of(visit_of("u", "held"), 1))
    free = await data.owner_queries.add_action(action_of(visit_of("u", "free"), 2))
    mark = Hold(visit_id="held", user_id="u", held_at=START)
    await data.raw("holds/held", mark.to_stored())
    changed = held.action.model_copy(update={"text": "rewritten"})
    with pytest.raises(Conflict):
        await data.owner_queries.save_action(held, changed)
    with pytest.raises(Conflict):
        await data.owner_queries.remove_action(held)
    with pytest.raises(Conflict):
        await data.owner_queries.add_action(action_of(visit_of("u", "held"), 3))
    assert await data.owner_queries.action("held-001") == held
    assert await data.owner_queries.action("held-003") is None
    saved = await data.owner_queries.save_action(free, free.action.model_copy(update={"text": "x"}))
    await data.owner_queries.remove_action(saved)


def ids(visits: Any) -> list[str]:
    return [visit.visit_id for visit in visits]


async def test_every_visit_is_listed_in_exactly_one_group_newest_first(data: OwnerData) -> None:
    await data.has(
        visit_of("u", "new", minutes=0),
        transcribing(visit_of("u", "running", minutes=1)),
        completed(visit_of("u", "done", minutes=2)),
        failed(visit_of("u", "broken", minutes=3)),
        failed(visit_of("u", "half", minutes=4), status=Status.PARTIAL),
        failed(visit_of("u", "stopped", minutes=5), status=Status.CANCELLED),
        failed(visit_of("u", "late", minutes=6), status=Status.EXPIRED),
        completed(visit_of("u", "old", minutes=7), archived=True),
        failed(visit_of("u", "old and broken", minutes=8), archived=True),
        completed(visit_of("other", "theirs", minutes=9)),
    )
    found = {
        group: ids((await data.owner_queries.visits("u", limit=10, group=group)).items)
        for group in Group
    }
    assert found == {
        Group.NEEDS_ATTENTION: ["late", "stopped", "half", "broken"],
        Group.PROCESSING: ["running", "new"],
        Group.READY: ["done"],
        Group.ARCHIVED: ["old and broken", "old"],
    }
    everything = ids((await data.owner_queries.visits("u", limit=10)).items)
    assert sorted(everything) == sorted(each for group in found.values() for each in group)
    listed = (await data.owner_queries.visits("u", limit=10, leave_out_archived=True)).items
    assert ids(listed) == [each for each in everything if each not in found[Group.ARCHIVED]]


@pytest.mark.parametrize(
    ("group", "without"),
    [(None, False), (None, True), (Group.PROCESSING, False), (Group.READY, False)],
)
async def test_pages_contain_each_visit_once_even_if_created_at_the_same_instant(
    data: OwnerData, group: Group | None, without: bool
) -> None:
    make = completed if group is Group.READY else transcribing
    # Every second visit is archived, so that no page of these groups contains it.
    await data.has(
        *(make(visit_of("u", f"v{n}", minutes=n // 3), archived=n % 2 == 1) for n in range(9))
    )
    seen: list[str] = []
    after: ListPosition | None = None
    wanted_of: dict[str, Any] = {"limit": 2, "group": group, "leave_out_archived": without}
    while page := (await data.owner_queries.visits("u", after=after, **wanted_of)).items:
        seen += ids(page)
        after = ListPosition(page[-1].created_at, page[-1].visit_id)
    wanted = [f"v{n}" for n in reversed(range(9)) if (group is None and not without) or n % 2 == 0]
    assert seen == wanted


async def test_a_visit_document_written_by_a_client_is_listed(data: OwnerData) -> None:
    created = visit_of("u", "v1")
    known = {"visitId", "userId", "status", "processingStatus", "createdAt", "updatedAt"}
    await data.raw("visits/v1", {k: v for k, v in created.to_stored().items() if k in known})
    assert ids((await data.owner_queries.visits("u", limit=10, group=Group.PROCESSING)).items) == [
        "v1"
    ]


async def test_a_batch_lists_only_the_users_visits_of_that_batch_oldest_first(
    data: OwnerData,
) -> None:
    await data.has(
        *(visit_of("u", f"v{n}", minutes=9 - n, batch_id="b") for n in range(3)),
        visit_of("u", "single"),
        visit_of("u", "another", batch_id="c"),
        visit_of("other", "theirs", batch_id="b"),
    )
    assert ids(await data.owner_queries.batch("u", "b")) == ["v2", "v1", "v0"]
    assert ids(await data.owner_queries.batch("u", "none")) == []


async def test_actions_are_filtered_by_completion(data: OwnerData) -> None:
    for number in range(4):
        made = action_of(visit_of("u", "v1", minutes=number), number)
        await data.owner_queries.add_action(made.model_copy(update={"completed": number % 2 == 1}))
    await data.owner_queries.add_action(action_of(visit_of("other", "v2")))

    async def listed(**options: Any) -> list[str]:
        return [each.action_id for each in await data.owner_queries.actions("u", **options)]

    assert await listed(limit=10) == ["v1-003", "v1-002", "v1-001", "v1-000"]
    assert await listed(limit=10, completed=True) == ["v1-003", "v1-001"]
    assert await listed(limit=10, completed=False) == ["v1-002", "v1-000"]
    after = ListPosition(START + timedelta(minutes=2), "v1-002")
    assert await listed(limit=1, after=after) == ["v1-001"]


async def test_an_added_action_is_read_back_unchanged(data: OwnerData) -> None:
    action = action_of(visit_of("u", "v1"))
    assert await data.owner_queries.action(action.action_id) is None
    await data.owner_queries.add_action(action)
    found = await data.owner_queries.action(action.action_id)
    assert found is not None
    assert found.action == action


async def test_adding_an_action_twice_is_a_conflict(data: OwnerData) -> None:
    action = action_of(visit_of("u", "v1"))
    await data.owner_queries.add_action(action)
    with pytest.raises(Conflict):
        await data.owner_queries.add_action(action)


async def test_one_of_two_concurrent_edits_of_an_action_succeeds(data: OwnerData) -> None:
    action = action_of(visit_of("u", "v1"))
    read = await data.owner_queries.add_action(action)
    mine = action.model_copy(update={"text": "Walk."})
    saved = await data.owner_queries.save_action(read, mine)
    with pytest.raises(Conflict):
        await data.owner_queries.save_action(read, action.model_copy(update={"text": "Run."}))
    with pytest.raises(Conflict):
        await data.owner_queries.remove_action(read)
    found = await data.owner_queries.action(action.action_id)
    assert found is not None
    assert found.action == mine
    await data.owner_queries.remove_action(saved)
    assert await data.owner_queries.action(action.action_id) is None


async def test_an_edit_does_not_restore_a_removed_action(data: OwnerData) -> None:
    action = action_of(visit_of("u", "v1"))
    read = await data.owner_queries.add_action(action)
    await data.owner_queries.remove_action(read)
    with pytest.raises(Conflict):
        await data.owner_queries.save_action(read, action.model_copy(update={"text": "Walk."}))
    assert await data.owner_queries.action(action.action_id) is None


async def test_an_unknown_user_has_the_default_profile(data: OwnerData) -> None:
    profile = await data.owner_queries.profile("u")
    assert (profile.user_id, profile.tier, profile.preferences) == ("u", None, None)


async def test_a_profile_is_stored_per_user_until_it_is_forgotten(
    data: OwnerData,
) -> None:
    await data.raw("users/u", {"tier": "paid", "preferences": {"language": "de"}})
    profile = await data.owner_queries.profile("u")
    assert (profile.tier, profile.preferences) == ("paid", {"language": "de"})
    assert (await data.owner_queries.profile("other")).tier is None
    await data.owner_queries.forget("u")
    assert (await data.owner_queries.profile("u")).tier is None


async def test_usage_counts_visits_and_transcribed_audio_seconds(data: OwnerData) -> None:
    await data.has(
        visit_of("u", "before", minutes=-1),
        visit_of("u", "waiting"),
        completed(visit_of("u", "done", minutes=1)),
        completed(visit_of("u", "long", minutes=2), ledger=Ledger(audio_seconds=90.5)),
        completed(visit_of("other", "theirs", minutes=3)),
    )
    # A visit written by its owner has no ledger, and counts too.
    created = visit_of("u", "created", minutes=4).to_stored()
    del created["ledger"]
    await data.raw("visits/created", created)
    used = await data.owner_queries.used("u", START)
    assert (used.visits, used.audio_seconds) == (4, 150.5)
    unknown = await data.owner_queries.used("unknown", START)
    assert (unknown.visits, unknown.audio_seconds) == (0, 0.0)


async def test_was_retired_is_true_only_for_the_owners_action_of_an_earlier_summary(
    data: OwnerData,
) -> None:
    await data.has(
        completed(visit_of("u", "v1"), retired_action_ids=("a-000", "a-001")),
        completed(visit_of("other", "v2"), retired_action_ids=("b-000",)),
    )
    known = [
        await data.owner_queries.was_retired("u", each) for each in ("a-001", "b-000", "v1-000")
    ]
    assert known == [True, False, False]
