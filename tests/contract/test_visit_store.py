"""The contract of `VisitStore`: memory, simulated and Firestore stores."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
from google.api_core.exceptions import InvalidArgument

from lumimd.adapters.firestore.database import FirestoreDatabase
from lumimd.adapters.memory import MemoryVisitStore
from lumimd.adapters.memory.database import DocumentTooLarge, RequestTooLarge
from lumimd.domain import events as e
from lumimd.domain.codes import ErrorCode
from lumimd.domain.commit import Commit, Conflict, Stored
from lumimd.domain.dead_letter import DeadLetter
from lumimd.domain.errors import Transient
from lumimd.domain.state_machine import advance
from lumimd.domain.transcript import TranscriptPage
from lumimd.domain.visit import Action, HistoryEntry, ProcessingStatus, Visit
from lumimd.ports.paging import Page, pages
from lumimd.stores.visit_store import VisitStore
from tests.simulation.store import Documents
from tests.simulation.store_ports import SimulatedVisitStore
from tests.support.services import START, transcript, upload


@pytest.fixture(
    params=["memory", "simulated", pytest.param("firestore", marks=pytest.mark.emulator)]
)
async def store(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[VisitStore]:
    if request.param == "memory":
        yield MemoryVisitStore()
        return
    if request.param == "simulated":
        yield SimulatedVisitStore(Documents())
        return
    from google.cloud import firestore

    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", request.getfixturevalue("firestore_host"))
    # A new project name gives the test an empty database.
    client = firestore.AsyncClient(project=f"demo-{uuid.uuid4().hex[:12]}")
    yield VisitStore(FirestoreDatabase(lambda: client))
    client.close()


def new_visit(visit_id: str = "v1", **fields: object) -> Visit:
    visit = Visit(visit_id=visit_id, user_id="u1", created_at=START, updated_at=START)
    return visit.model_copy(update={"wake_at": START, **fields})


def entry(position: int) -> HistoryEntry:
    return HistoryEntry(
        position=position,
        event="audio_accepted",
        from_status=ProcessingStatus.PENDING,
        to_status=ProcessingStatus.PENDING,
        attempt=1,
        at=START,
    )


def action(number: int, text: str = "Rest.", visit_id: str = "v1") -> Action:
    return Action(
        action_id=f"{visit_id}-{number:03d}",
        visit_id=visit_id,
        user_id="u1",
        text=text,
        evidence=("u1",),
        created_at=START,
    )


def ids(page: Page[Stored]) -> list[str]:
    return [stored.visit.visit_id for stored in page.items]


async def read(store: VisitStore, visit_id: str = "v1") -> Stored:
    stored = await store.get(visit_id)
    assert stored is not None
    return stored


async def test_get_returns_none_for_a_visit_that_was_never_written(store: VisitStore) -> None:
    assert await store.get("v1") is None
    assert await store.transcript("v1") == ()
    assert await store.actions("v1") == ()


async def test_a_written_visit_is_read_completely(store: VisitStore) -> None:
    visit = new_visit()
    for event in (
        e.AudioAccepted(None, upload().audio),
        e.TranscriptionSubmitted(1, "assemblyai", "job", upload().audio),
        e.TranscriptStored(1, "assemblyai", "job", transcript(), 1),
    ):
        visit = advance(visit, event, START + timedelta(microseconds=1)).visit
    await store.create(Commit(visit))
    assert (await read(store)).visit == visit


async def test_a_visit_is_created_once(store: VisitStore) -> None:
    outcomes = await asyncio.gather(
        *(store.create(Commit(new_visit(title=str(n)))) for n in range(5)), return_exceptions=True
    )
    assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 4
    (created,) = [outcome for outcome in outcomes if isinstance(outcome, Stored)]
    assert (await read(store)).visit == created.visit


async def test_a_save_requires_the_version_that_was_read(store: VisitStore) -> None:
    await store.create(Commit(new_visit()))
    first, second = await read(store), await read(store)
    await store.save(first, Commit(new_visit(title="first")))
    with pytest.raises(Conflict):
        await store.save(second, Commit(new_visit(title="second")))
    assert (await read(store)).visit.title == "first"


@pytest.mark.parametrize("change", ["edited", "removed"])
@pytest.mark.parametrize("plan", ["written", "deleted"])
async def test_an_action_item_changed_concurrently_by_its_owner_is_a_conflict(
    store: VisitStore, change: str, plan: str
) -> None:
    stored = await store.create(Commit(new_visit(), actions=[action(0), action(1)]))
    was = {each.action.action_id: each for each in await store.stored_actions("v1")}
    assert {name: each.action for name, each in was.items()} == {
        each.action_id: each for each in (action(0), action(1))
    }
    versions = {name: each.version for name, each in was.items()}
    touched = Commit(new_visit(), actions=[action(0, "Mine.")])
    if change == "removed":
        touched = Commit(new_visit(), stale_actions=[action(0).action_id])
    stored = await store.save(stored, touched)
    planned = Commit(new_visit(title="later"), actions=[action(0, "Theirs."), action(1, "Told.")])
    if plan == "deleted":
        stale = [action(0).action_id]
        planned = Commit(new_visit(title="later"), stale_actions=stale)
    with pytest.raises(Conflict):
        await store.save(stored, replace(planned, action_versions=versions))
    assert (await read(store)).visit.title is None
    left = [each.text for each in await store.actions("v1")]
    assert left == (["Mine."] if change == "edited" else []) + [action(1).text]

    versions = {each.action.action_id: each.version for each in await store.stored_actions("v1")}
    again = Commit(new_visit(title="later"), actions=[action(1, "Told.")], action_versions=versions)
    await store.save(stored, again)
    assert [each.text for each in await store.actions("v1")][-1] == "Told."


async def test_exactly_one_of_several_concurrent_saves_succeeds_in_each_round(
    store: VisitStore,
) -> None:
    stored = await store.create(Commit(new_visit()))
    for round_ in range(3):
        saves = (store.save(stored, Commit(new_visit(title=f"{round_}-{n}"))) for n in range(8))
        outcomes = await asyncio.gather(*saves, return_exceptions=True)
        (stored,) = [outcome for outcome in outcomes if isinstance(outcome, Stored)]
        assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 7
    assert (await read(store)).visit == stored.visit


async def test_the_next_save_accepts_the_version_of_the_last_save(store: VisitStore) -> None:
    stored = await store.create(Commit(new_visit()))
    stored = await store.save(stored, Commit(new_visit(title="one")))
    stored = await store.save(stored, Commit(new_visit(title="two")))
    assert (await read(store)).visit.title == "two"


async def test_a_save_of_a_deleted_visit_is_a_conflict(store: VisitStore) -> None:
    other = await store.create(Commit(new_visit("v2")))
    with pytest.raises(Conflict):
        await store.save(Stored(new_visit("v1"), other.version), Commit(new_visit("v1")))
    assert await store.get("v1") is None


async def test_a_conflicting_commit_writes_no_history_pages_or_actions(store: VisitStore) -> None:
    created = await store.create(Commit(new_visit(), entries=[entry(0)]))
    await store.save(created, Commit(new_visit(title="newer"), entries=[entry(1)]))
    lost = Commit(
        new_visit(title="older"),
        entries=[entry(2)],
        pages=transcript().pages(),
        actions=[action(0)],
    )
    with pytest.raises(Conflict):
        await store.save(created, lost)
    assert [line.position for line in await store.history("v1")] == [0, 1]
    assert await store.transcript("v1") == ()
    assert await store.actions("v1") == ()


async def test_transcript_pages_and_actions_replace_those_of_an_earlier_attempt(
    store: VisitStore,
) -> None:
    long = transcript((("A", "word " * 500),) * 6)
    pages = long.pages(max_bytes=6_000)
    assert len(pages) == 3
    actions = [action(0), action(1), action(2)]
    stored = await store.create(Commit(new_visit(), pages=pages, actions=actions))
    assert await store.transcript("v1") == long.utterances
    assert await store.actions("v1") == tuple(actions)

    short = transcript()
    again = Commit(
        new_visit(),
        pages=short.pages(),
        stale_pages=3,
        actions=[action(0, "Run.")],
        stale_actions=[each.action_id for each in actions[1:]],
    )
    stored = await store.save(stored, again)
    assert await store.transcript("v1") == short.utterances
    assert await store.actions("v1") == (action(0, "Run."),)
    await store.save(stored, Commit(new_visit(title="only the visit")))
    assert await store.transcript("v1") == short.utterances


async def test_actions_and_history_are_read_for_one_visit_only(store: VisitStore) -> None:
    await store.create(Commit(new_visit("v1"), entries=[entry(0)], actions=[action(0)]))
    other = [action(0, visit_id="v2")]
    await store.create(Commit(new_visit("v2"), entries=[entry(0), entry(1)], actions=other))
    assert await store.actions("v1") == (action(0),)
    assert len(await store.history("v1")) == 1


async def test_a_failure_writes_a_dead_letter_and_the_next_attempt_removes_it(
    store: VisitStore,
) -> None:
    assert await store.dead_letter("v1") is None
    rejected = e.AudioRejected(1, ErrorCode.AUDIO_UNREADABLE)
    failed = advance(new_visit(), rejected, START).visit
    letter = DeadLetter.of(failed, START)
    stored = await store.create(Commit(failed, dead_letter=letter))
    assert await store.dead_letter("v1") == letter
    await store.save(stored, Commit(new_visit(), no_dead_letter=True))
    assert await store.dead_letter("v1") is None


async def test_due_visits_are_listed_longest_overdue_first_in_pages(store: VisitStore) -> None:
    wake_ups = {"late": 3, "later": 2, "latest": 1, "now": 0}
    for name, minutes in wake_ups.items():
        await store.create(Commit(new_visit(name, wake_at=START - timedelta(minutes=minutes))))
    await store.create(Commit(new_visit("future", wake_at=START + timedelta(microseconds=1))))
    await store.create(Commit(new_visit("done", wake_at=None)))

    first = await store.due(START, 3)
    assert ids(first) == ["late", "later", "latest"]
    rest = await store.due(START, 3, first.cursor)
    assert ids(rest) == ["now"]
    assert rest.cursor is None
    full = await store.due(START, 4)
    assert ids(await store.due(START, 4, full.cursor)) == []


async def test_pages_of_due_visits_do_not_overlap_at_the_same_instant(
    store: VisitStore,
) -> None:
    for number in range(5):
        await store.create(Commit(new_visit(f"v{number}")))
    found = [ids(page) async for page in pages(lambda after: store.due(START, 2, after))]
    assert found == [["v0", "v1"], ["v2", "v3"], ["v4"]]


async def test_a_due_visit_that_was_found_can_be_saved(store: VisitStore) -> None:
    await store.create(Commit(new_visit()))
    (found,) = (await store.due(START, 10)).items
    await store.save(found, Commit(new_visit(title="woken")))
    assert (await read(store)).visit.title == "woken"


async def test_a_document_over_one_mebibyte_is_refused_and_nothing_is_written(
    store: VisitStore,
) -> None:
    huge = TranscriptPage(page=0, utterances=transcript((("A", "x" * 1_100_000),)).utterances)
    with pytest.raises((DocumentTooLarge, InvalidArgument)):
        await store.create(Commit(new_visit(), pages=(huge,)))
    assert await store.get("v1") is None


async def test_a_ten_hour_monologue_in_a_three_byte_script_is_stored_in_pages(
    store: VisitStore,
) -> None:
    """One speaker talks for ten hours, at 90 words per minute and three bytes per letter."""
    monologue = transcript((("A", "\u0928\u092e\u0938\u094d\u0924\u0947 " * 54_000),))
    await store.create(Commit(new_visit(), pages=monologue.pages()))
    read_back = await store.transcript("v1")
    assert "".join(each.text for each in read_back) == monologue.utterances[0].text


async def test_a_commit_over_ten_mebibytes_is_refused_and_nothing_is_written(
    store: VisitStore,
) -> None:
    if isinstance(store, SimulatedVisitStore):
        pytest.skip("visits of the simulation are small")
    pages = transcript([("A", "x" * 190_000)] * 60).pages()
    # The emulator's server refuses a message of that size with another error.
    with pytest.raises((RequestTooLarge, InvalidArgument, Transient)):
        await store.create(Commit(new_visit(), pages=pages))
    assert await store.get("v1") is None
