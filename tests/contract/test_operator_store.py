"""The contract of `OperatorStore`: one suite for the memory adapter and for Firestore."""

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

import pytest

from lumimd.adapters.firestore.database import FirestoreDatabase
from lumimd.adapters.memory import MemoryVisitStore
from lumimd.domain.codes import ErrorCode
from lumimd.domain.commit import Commit, Conflict
from lumimd.domain.dead_letter import DeadLetter, LetterState
from lumimd.domain.visit import ProcessingError, ProcessingStatus, Stage, Visit
from lumimd.stores.operator_store import (
    AuditEntry,
    AuditFilter,
    AuditOutcome,
    LetterFilter,
    OperatorStore,
    VisitFilter,
    mark_of,
)
from lumimd.stores.visit_store import VisitStore
from tests.support.services import START, upload

MINUTE = timedelta(minutes=1)


@dataclass
class Both:
    """The pipeline's store and the operators' store over the same documents."""

    visits: VisitStore
    operators: OperatorStore

    async def visit(self, visit_id: str, **fields: object) -> Visit:
        visit = Visit(visit_id=visit_id, user_id="u1", created_at=START, updated_at=START)
        visit = visit.model_copy(update={"audio": upload().audio, "wake_at": START, **fields})
        await self.visits.create(Commit(visit))
        return visit

    async def failed(self, visit_id: str, code: ErrorCode, stage: Stage, **fields: object) -> None:
        error = ProcessingError.of(code, stage)
        visit = Visit(visit_id=visit_id, user_id="u1", created_at=START, updated_at=START)
        visit = visit.model_copy(
            update={
                "processing_status": ProcessingStatus.FAILED,
                "processing_error": error,
                **fields,
            }
        )
        letter = DeadLetter.of(visit, visit.updated_at)
        await self.visits.create(Commit(visit, dead_letter=letter))


@pytest.fixture(params=["memory", pytest.param("firestore", marks=pytest.mark.emulator)])
async def both(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Both]:
    if request.param == "memory":
        store = MemoryVisitStore()
        yield Both(store, OperatorStore(store.database))
        return
    from google.cloud import firestore

    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", request.getfixturevalue("firestore_host"))
    client = firestore.AsyncClient(project=f"demo-{uuid.uuid4().hex[:12]}")
    database = FirestoreDatabase(lambda: client)
    yield Both(
        VisitStore(database),
        OperatorStore(database),
    )
    client.close()


async def ids(both: Both, wanted: VisitFilter, limit: int = 10) -> list[str]:
    return [visit.visit_id for visit in await both.operators.visits(wanted, limit)]


async def test_visits_are_listed_from_the_newest_to_the_oldest(both: Both) -> None:
    for number in range(3):
        await both.visit(f"v{number}", updated_at=START + number * MINUTE)
    assert await ids(both, VisitFilter()) == ["v2", "v1", "v0"]
    assert await ids(both, VisitFilter(), limit=2) == ["v2", "v1"]


async def test_visits_are_filtered_by_status_user_and_time(both: Both) -> None:
    await both.visit("a", updated_at=START)
    await both.visit("b", user_id="u2", updated_at=START + MINUTE)
    await both.visit(
        "c",
        user_id="u2",
        processing_status=ProcessingStatus.FAILED,
        updated_at=START + 2 * MINUTE,
    )
    assert await ids(both, VisitFilter(status=ProcessingStatus.FAILED)) == ["c"]
    assert await ids(both, VisitFilter(user_id="u2")) == ["c", "b"]
    assert await ids(both, VisitFilter(updated_since=START + MINUTE)) == ["c", "b"]
    pending = VisitFilter(status=ProcessingStatus.PENDING, user_id="u2", updated_since=START)
    assert await ids(both, pending) == ["b"]


async def test_pages_neither_overlap_nor_skip_visits_of_the_same_instant(
    both: Both,
) -> None:
    for number in range(5):
        await both.visit(f"v{number}")
    seen: list[str] = []
    page = await both.operators.visits(VisitFilter(), 2)
    while page:
        seen += [visit.visit_id for visit in page]
        page = await both.operators.visits(VisitFilter(), 2, mark_of(page[-1]))
    assert seen == ["v4", "v3", "v2", "v1", "v0"]


async def test_a_listed_visit_contains_no_text_of_the_visit(both: Both) -> None:
    await both.visit("v1", title="canary-title", summary="canary-summary", tags=("canary-tag",))
    (line,) = await both.operators.visits(VisitFilter(), 10)
    assert "canary" not in str(line.to_stored())


async def test_the_visits_that_were_retried_most_come_first(both: Both) -> None:
    for number in range(4):
        await both.visit(f"v{number}", retry_count=number)
    found = await both.operators.much_retried(2, 10)
    assert [visit.visit_id for visit in found] == ["v3", "v2"]
    assert [visit.visit_id for visit in await both.operators.much_retried(0, 1)] == ["v3"]


async def test_only_overdue_or_long_unchanged_visits_are_stuck(both: Both) -> None:
    now = START + timedelta(hours=1)
    soon = now + MINUTE
    await both.visit("overdue", wake_at=now - 5 * MINUTE, updated_at=now - 2 * MINUTE)
    await both.visit("quiet", wake_at=soon, updated_at=now - 15 * MINUTE)
    await both.visit("both", wake_at=START, updated_at=START)
    await both.visit("due", wake_at=now - 4 * MINUTE, updated_at=now - 6 * MINUTE)
    await both.visit("put-aside", wake_at=soon, updated_at=now - 14 * MINUTE)
    await both.visit("no-recording", audio=None, wake_at=START, updated_at=START)
    done = {"processing_status": ProcessingStatus.COMPLETED, "wake_at": None}
    await both.visit("done", **done, updated_at=START)
    found = [visit.visit_id for visit in await both.operators.stuck(now, 10)]
    assert found == ["both", "quiet", "overdue"]
    assert [visit.visit_id for visit in await both.operators.stuck(now, 1)] == ["both"]


async def test_a_stuck_visit_is_found_among_many_visits_that_wait_for_a_recording(
    both: Both,
) -> None:
    for number in range(310):  # more than one page of the query
        await both.visit(f"w{number:03d}", audio=None, wake_at=START + 9 * timedelta(hours=1))
    await both.visit("stuck", wake_at=START + 9 * timedelta(hours=1), updated_at=START + MINUTE)
    found = await both.operators.stuck(START + timedelta(hours=1), 10)
    assert [visit.visit_id for visit in found] == ["stuck"]


async def test_every_status_is_counted(both: Both) -> None:
    await both.visit("a")
    await both.visit("b")
    await both.visit("c", processing_status=ProcessingStatus.COMPLETED)
    counts = await both.operators.counts()
    assert counts == {
        ProcessingStatus.PENDING: 2,
        ProcessingStatus.TRANSCRIBING: 0,
        ProcessingStatus.SUMMARIZING: 0,
        ProcessingStatus.COMPLETED: 1,
        ProcessingStatus.FAILED: 0,
        ProcessingStatus.CANCELLED: 0,
    }


async def test_dead_letters_are_filtered_by_each_field_and_by_all_fields_together(
    both: Both,
) -> None:
    unavailable, unreadable = ErrorCode.SUMMARY_UNAVAILABLE, ErrorCode.AUDIO_UNREADABLE
    await both.failed("a", unavailable, Stage.SUMMARY, updated_at=START)
    await both.failed("b", unreadable, Stage.SUBMISSION, updated_at=START + MINUTE)
    await both.failed("c", unavailable, Stage.SUMMARY, user_id="u2", updated_at=START + 2 * MINUTE)

    async def found(wanted: LetterFilter) -> list[str]:
        return [letter.visit_id for letter in await both.operators.letters(wanted, 10)]

    assert await found(LetterFilter()) == ["c", "b", "a"]
    assert await found(LetterFilter(stage=Stage.SUMMARY)) == ["c", "a"]
    assert await found(LetterFilter(code=unreadable)) == ["b"]
    assert await found(LetterFilter(user_id="u2")) == ["c"]
    assert await found(LetterFilter(since=START + MINUTE)) == ["c", "b"]
    every = LetterFilter(Stage.SUMMARY, unavailable, "u1", START, LetterState.OPEN)
    assert await found(every) == ["a"]
    assert await found(LetterFilter(state=LetterState.DISCARDED)) == []
    (first,) = await both.operators.letters(LetterFilter(), 1)
    rest = await both.operators.letters(LetterFilter(), 10, mark_of(first))
    assert [letter.visit_id for letter in rest] == ["b", "a"]


async def test_a_dead_letter_read_before_a_change_cannot_be_saved(both: Both) -> None:
    await both.failed("a", ErrorCode.SUMMARY_INVALID, Stage.SUMMARY)
    assert await both.operators.letter("no-such-visit") is None
    read = await both.operators.letter("a")
    assert read is not None
    discarded = read.letter.discarded("olga", "a test recording", START)
    await both.operators.save_letter(read, discarded)
    with pytest.raises(Conflict):
        await both.operators.save_letter(read, read.letter.discarded("otto", "again", START))
    again = await both.operators.letter("a")
    assert again is not None
    assert again.letter == discarded
    assert await both.operators.letters(LetterFilter(), 10) == []
    assert len(await both.operators.letters(LetterFilter(state=None), 10)) == 1


async def test_a_deleted_dead_letter_is_not_written_again(both: Both) -> None:
    await both.failed("a", ErrorCode.SUMMARY_INVALID, Stage.SUMMARY)
    read = await both.operators.letter("a")
    stored = await both.visits.get("a")
    assert read is not None
    assert stored is not None
    await both.visits.save(stored, Commit(stored.visit, no_dead_letter=True))
    with pytest.raises(Conflict):
        await both.operators.save_letter(read, read.letter.discarded("olga", "why", START))
    assert await both.operators.letter("a") is None


def entry(entry_id: str, minutes: int = 0, **fields: object) -> AuditEntry:
    written = AuditEntry(
        entry_id=entry_id, at=START + minutes * MINUTE, actor="olga", action="retry", target="v1"
    )
    return written.model_copy(update=fields)


async def test_the_audit_log_is_filtered_and_listed_newest_first(both: Both) -> None:
    await both.operators.append_audit(entry("e1", 0))
    await both.operators.append_audit(entry("e2", 1, actor="otto"))
    await both.operators.append_audit(entry("e3", 2, target="v2", before={"status": "failed"}))

    async def found(wanted: AuditFilter) -> list[str]:
        return [each.entry_id for each in await both.operators.audit(wanted, 10)]

    assert await found(AuditFilter()) == ["e3", "e2", "e1"]
    assert await found(AuditFilter(actor="otto")) == ["e2"]
    assert await found(AuditFilter(target="v2")) == ["e3"]
    assert await found(AuditFilter(actor="olga", target="v1")) == ["e1"]
    newest, *_ = await both.operators.audit(AuditFilter(), 1)
    assert newest == entry("e3", 2, target="v2", before={"status": "failed"})
    rest = await both.operators.audit(AuditFilter(), 10, mark_of(newest))
    assert [each.entry_id for each in rest] == ["e2", "e1"]


async def test_an_audit_entry_is_written_once_and_completed_once(both: Both) -> None:
    await both.operators.append_audit(entry("e1"))
    with pytest.raises(Conflict):
        await both.operators.append_audit(entry("e1", actor="somebody-else"))
    done = {"outcome": AuditOutcome.DONE, "after": {"status": "processing"}, "ended_at": START}
    forged = entry("e1", actor="somebody-else", **done)
    await both.operators.complete_audit(forged)
    (kept,) = await both.operators.audit(AuditFilter(), 10)
    assert kept == entry("e1", **done)  # actor, instant and action are unchanged
    with pytest.raises(Conflict):
        await both.operators.complete_audit(entry("e1", outcome=AuditOutcome.FAILED))
    with pytest.raises(Conflict):
        await both.operators.complete_audit(entry("never-begun", **done))
