"""Test that the ledger counts each paid job and model call once, and when copies are deleted."""

import asyncio
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumimd.domain import ledger
from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import (
    BadAnswer,
    Held,
    NotCharged,
    Permanent,
    TimedOut,
    Transient,
    Unanswered,
)
from lumimd.domain.ledger import Settlement
from lumimd.domain.transcript import Transcript
from lumimd.domain.visit import Ledger, Status, Transcription, Visit
from lumimd.pipeline import accept, collect, commands, reconcile, recover
from lumimd.pipeline.analysis.visit_summary import ASKS
from lumimd.policies import reconciliation
from lumimd.policies.deployment import Policy
from lumimd.ports.transcriber import Failed, Transcribed
from tests.support.services import START, MemoryServices, another, tone, transcribed, transcript
from tests.support.visits import run_tasks, visit_of

HOUR = timedelta(hours=1)
SILENT = Transcribed(Transcript(utterances=(), duration_seconds=600.0))
REFUSED = Failed(ErrorCode.AUDIO_TOO_SHORT, is_transient=False)
HEARD = Transcribed(transcript().model_copy(update={"duration_seconds": 60.0}))

UNAVAILABLE = ErrorCode.SUMMARY_UNAVAILABLE


def opened_by(error: Exception) -> Held:
    """Return the error of a call that opened the breaker because of `error`."""
    held = Held(UNAVAILABLE)
    held.__cause__ = error
    return held


@pytest.fixture
def services() -> MemoryServices:
    return MemoryServices(policy=Policy(bucket="recordings", requires_consent=False))


def a_visit(**fields: object) -> Visit:
    visit = Visit(visit_id="v", user_id="u", created_at=START, updated_at=START)
    return visit.model_copy(update=fields)


NOTES = st.lists(
    st.tuples(st.sampled_from("abcd"), st.one_of(st.none(), st.integers(0, 9))), max_size=20
)


@given(NOTES)
def test_a_job_that_is_noted_repeatedly_is_counted_and_charged_once(
    notes: list[tuple[str, int | None]],
) -> None:
    visit, first = a_visit(), dict[str, int]()
    for job, seconds in notes:
        if seconds is None:
            visit = a_visit(ledger=ledger.ordered(visit, job))
        else:
            visit = a_visit(ledger=ledger.charged(visit, job, seconds))
            first.setdefault(job, seconds)
        assert ledger.is_charged(visit, job) is (job in first)
    assert visit.ledger.orders == len({job for job, _ in notes})
    assert visit.ledger.audio_seconds == sum(first.values())


def test_the_ledger_keeps_ids_of_the_newest_jobs_and_counts_all_jobs() -> None:
    visit = a_visit()
    for number in range(2 * ledger.JOBS_REMEMBERED):
        visit = a_visit(ledger=ledger.charged(visit, f"job-{number}", 1.0))
    assert len(visit.ledger.jobs) == ledger.JOBS_REMEMBERED
    assert visit.ledger.orders == visit.ledger.audio_seconds == 2 * ledger.JOBS_REMEMBERED


@pytest.mark.parametrize("ended", [False, True])
def test_a_job_that_an_earlier_release_counted_is_not_counted_again(ended: bool) -> None:
    """Ledgers of the earlier release contain no job ids."""
    at = START if ended else None
    job = Transcription(provider="p", transcript_id="j", submitted_at=START, completed_at=at)
    seconds = 60.0 if ended else 0.0
    visit = a_visit(transcription=job, ledger=Ledger(orders=1, audio_seconds=seconds))
    assert ledger.is_charged(visit, "j") is ended
    after = ledger.charged(visit, "j", 60.0)
    assert (after.orders, after.audio_seconds) == (1, 60.0)


@pytest.mark.parametrize(
    ("raises", "answers", "unheard"),
    [
        ([], 1, 0),
        ([BadAnswer(ErrorCode.SUMMARY_INVALID)], 2, 0),
        ([BadAnswer(ErrorCode.SUMMARY_REFUSED, may_get_better=False)], 1, 0),
        ([Permanent(ErrorCode.SUMMARY_INVALID)], 1, 0),
        ([NotCharged(ErrorCode.SUMMARY_TRUNCATED)], 0, 0),
        ([Transient(UNAVAILABLE)], 0, 0),
        ([Held(UNAVAILABLE)], 0, 0),
        ([Unanswered(UNAVAILABLE)], 0, 1),
        ([TimedOut(UNAVAILABLE)], 0, 1),
        ([opened_by(Unanswered(UNAVAILABLE))], 0, 1),
        ([opened_by(Transient(UNAVAILABLE))], 0, 0),
        ([BadAnswer(ErrorCode.SUMMARY_INVALID), TimedOut(UNAVAILABLE)], 1, 1),
    ],
    ids=repr,
)
async def test_the_ledger_counts_each_answered_and_each_unanswered_model_call(
    services: MemoryServices, raises: list[Exception], answers: int, unheard: int
) -> None:
    await transcribed(services)
    services.summarizer.raises = list(raises)
    await run_tasks(services)
    found = (await visit_of(services)).ledger
    assert (found.summaries, found.summaries_unsettled) == (answers, unheard)


async def test_model_calls_of_a_crashed_worker_stay_unsettled_in_the_ledger(
    services: MemoryServices,
) -> None:
    class Killed(BaseException):
        pass

    await transcribed(services)
    services.summarizer.raises = [Killed()]  # type: ignore[list-item]
    with pytest.raises(Killed):
        await run_tasks(services)
    assert (await visit_of(services)).ledger.summaries_unsettled == ASKS
    for _ in range(10):
        services.clock.advance(timedelta(minutes=1))
        await recover.wake_due(services)
        await run_tasks(services)
    visit = await visit_of(services)
    assert (visit.status, visit.ledger.summaries) == (Status.COMPLETED, 1)
    assert visit.ledger.summaries_unsettled == ASKS, "the outcome of these stays unknown"


async def test_a_model_call_that_is_cancelled_stays_unsettled_in_the_ledger(
    services: MemoryServices,
) -> None:
    from lumimd.pipeline.analysis.visit_summary import Bill, summarize

    class Slow:
        source = "model"

        async def summarize(self, heard: Transcript) -> None:
            await asyncio.Event().wait()

    bill = Bill(reserved=ASKS)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await summarize(transcript(), Slow(), bill)  # type: ignore[arg-type]
    assert bill.settlement == Settlement(answers=0, unheard=1, reserved=ASKS)


async def test_a_rule_based_summary_reserves_no_model_call(services: MemoryServices) -> None:
    services.summarizer.source = "rules"
    await transcribed(services)
    await run_tasks(services)
    assert (await visit_of(services)).ledger.summaries_unsettled == 0


@pytest.mark.parametrize(("state", "seconds"), [(SILENT, 600.0), (REFUSED, 0.0)])
async def test_a_job_without_a_transcript_is_charged_and_its_copy_deleted_immediately(
    services: MemoryServices, state: Transcribed | Failed, seconds: float
) -> None:
    await accept.accept(services, services.upload())
    services.transcriber.finish("job-0", state)
    await collect.collect(services, "visit-1", 1, "job-0")
    visit = await visit_of(services)
    assert visit.status is Status.FAILED
    assert (visit.ledger.orders, visit.ledger.audio_seconds) == (1, seconds)
    assert services.transcriber.orders[0].is_deleted


async def test_silent_files_beside_a_transcribed_file_are_charged(services: MemoryServices) -> None:
    """The silent files come first and last, so that two different events skip them."""
    await accept.accept(services, services.upload())
    for number in (2, 3):
        upload = another(number)
        services.audio.put(upload.audio, tone(seconds=2))
        await accept.accept(services, upload)
    for number in range(3):
        for _ in range(2):
            services.clock.advance(timedelta(minutes=1))
            await recover.wake_due(services)
        services.transcriber.finish(f"job-{number}", HEARD if number == 1 else SILENT)
        attempt = (await visit_of(services)).attempt
        await collect.collect(services, "visit-1", attempt, f"job-{number}")
    visit = await visit_of(services)
    assert (visit.ledger.orders, visit.ledger.audio_seconds) == (3, 1260.0)


async def test_a_provider_copy_stays_until_reconciliation_if_two_jobs_are_possible(
    services: MemoryServices,
) -> None:
    await accept.accept(services, services.upload())
    stored = await services.store.get("visit-1")
    assert stored
    services.store.raw["visits/visit-1"]["orders"] = 2
    services.transcriber.finish("job-0", SILENT)
    await collect.collect(services, "visit-1", 1, "job-0")
    assert not services.transcriber.orders[0].is_deleted
    services.clock.advance(HOUR)
    assert (await reconcile.reconcile(services))["provider_copies_deleted"] == 1


async def visit_ended_before_its_job(services: MemoryServices, how: str) -> None:
    """End the visit before its job; the provider finishes the job afterwards."""
    await accept.accept(services, services.upload())
    if how == "cancelled":
        await commands.cancel(services, "visit-1")
    elif how == "expired":
        services.clock.advance(services.policy.expires_after)
        await recover.wake_due(services)
    else:
        stored = await services.store.get("visit-1")
        assert stored
        from lumimd.domain import events as e
        from lumimd.pipeline.save import save_event

        failed = e.TranscriptionFailed(1, ErrorCode.TRANSCRIPTION_UNAVAILABLE, given_up=True)
        await save_event(services, stored, failed)
    services.transcriber.finish("job-0", HEARD)


@pytest.mark.parametrize(
    ("how", "kept_for"),
    [
        ("cancelled", reconciliation.SETTLED),
        ("expired", reconciliation.SETTLED),
        ("failed", reconciliation.KEPT_FOR_RETRY),
    ],
)
async def test_reconciliation_charges_and_deletes_a_job_that_ended_after_its_visit(
    services: MemoryServices, how: str, kept_for: timedelta
) -> None:
    await visit_ended_before_its_job(services, how)
    services.clock.advance(kept_for - timedelta(seconds=1))
    assert "provider_copies_deleted" not in await reconcile.reconcile(services)
    services.clock.advance(timedelta(seconds=1))
    assert (await reconcile.reconcile(services))["provider_copies_deleted"] == 1
    visit = await visit_of(services)
    assert (visit.ledger.orders, visit.ledger.audio_seconds) == (1, 60.0)
    assert services.transcriber.orders[0].is_deleted
    await reconcile.reconcile(services)
    assert (await visit_of(services)).ledger == visit.ledger


async def test_a_retry_within_a_day_reuses_the_paid_job(
    services: MemoryServices,
) -> None:
    await visit_ended_before_its_job(services, "failed")
    services.clock.advance(reconciliation.KEPT_FOR_RETRY - HOUR)
    await reconcile.reconcile(services)
    await commands.retry(services, "visit-1")
    for _ in range(3):
        services.clock.advance(timedelta(minutes=1))
        await recover.wake_due(services)
    await run_tasks(services)
    visit = await visit_of(services)
    assert visit.status is Status.COMPLETED
    assert (len(services.transcriber.orders), visit.ledger.orders) == (1, 1)


async def test_a_retry_during_reconciliation_prevents_the_deletion_of_the_job(
    services: MemoryServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    await visit_ended_before_its_job(services, "failed")
    services.clock.advance(reconciliation.KEPT_FOR_RETRY)
    fetch = services.transcriber.fetch

    async def meanwhile(transcript_id: str) -> object:
        monkeypatch.setattr(services.transcriber, "fetch", fetch)
        await commands.retry(services, "visit-1")
        return await fetch(transcript_id)

    monkeypatch.setattr(services.transcriber, "fetch", meanwhile)
    assert "provider_copies_deleted" not in await reconcile.reconcile(services)
    assert not services.transcriber.orders[0].is_deleted


def test_reconciliation_lists_jobs_as_old_as_a_visit_may_still_need() -> None:
    """A visit waits a day, its job is kept for a retry, and one nightly run may fail."""
    night = timedelta(days=1)
    longest = timedelta(days=1) + reconciliation.KEPT_FOR_RETRY + 2 * night
    assert longest <= reconciliation.JOBS_WINDOW


def test_a_job_counted_by_an_earlier_release_is_not_counted_again_after_a_new_job() -> None:
    before = Transcription(
        provider="fake", transcript_id="job-0", submitted_at=START, completed_at=START
    )
    visit = a_visit(transcription=before, ledger=Ledger(orders=1, audio_seconds=8.0))
    noted = visit.model_copy(update={"ledger": ledger.charged(visit, "job-1", 8.0)})
    assert ledger.is_charged(noted, "job-0")
    again = ledger.charged(noted, "job-0", 8.0)
    assert (again.orders, again.audio_seconds) == (2, 16.0)
