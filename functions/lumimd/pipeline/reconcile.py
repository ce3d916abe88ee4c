"""Reconcile the bucket, the provider and the store once a day.

| found                                          | then                                           |
|------------------------------------------------|------------------------------------------------|
| a recording without a visit                    | it is accepted now, because its event was lost  |
| a recording of a deleted visit                 | it is erased                                   |
| a visit whose recording is gone                | reported; the next step that needs it says so  |
| a job that no visit waits for any more         | it is put on the visit's ledger, and deleted    |
| a job that no visit knows                      | reported, and deleted                          |
"""

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from lumimd.domain import events as e
from lumimd.domain.audio import Upload, named_in, recording_of
from lumimd.domain.commit import Stored
from lumimd.domain.errors import Permanent, Transient, Unreadable
from lumimd.domain.ledger import is_charged
from lumimd.domain.paths import recordings_folder
from lumimd.domain.takes import generation_known
from lumimd.domain.visit import ProcessingStatus, Visit
from lumimd.pipeline import accept
from lumimd.pipeline.late_uploads import was_deleted
from lumimd.pipeline.rounds import Run
from lumimd.pipeline.save import save_event
from lumimd.pipeline.services import Services
from lumimd.policies.reconciliation import JOBS_WINDOW, KEPT_FOR_RETRY, RECORDINGS_WINDOW, SETTLED
from lumimd.policies.time_budgets import RECONCILIATION_RUN
from lumimd.ports.paging import pages
from lumimd.ports.transcriber import Failed, JobGone, KnownJob, Transcribed
from lumimd.telemetry import logs

AT_HOUR: Final = 3
"""The hour of the day (UTC) at which the hourly run also reconciles."""


PAGE: Final = 300

AT_ONCE: Final = 32


async def reconcile(services: Services) -> Mapping[str, int]:
    """Compare the bucket, the provider and the store; repair and count the findings.

    A failed comparison does not stop the other two.

    Raises:
        Transient: a dependency is not available; tomorrow's run covers the same window.
        ExceptionGroup: single recordings, visits or jobs failed.
    """
    now = services.clock.now()
    run = Run(services.clock, _log_failure, at_once=AT_ONCE, ends_at=now + RECONCILIATION_RUN)
    found: Counter[str] = Counter()
    if services.policy.bucket is not None:
        there: set[int] = set()
        await run.part(
            "recordings", _recordings(services, run, services.policy.bucket, there, found)
        )
        if not run.failed_parts:
            await run.part("missing", _missing(services, run, there, now, found))
    await run.part("jobs", _jobs(services, run, now, found))
    logs.event("reconciled", count=sum(found.values()), unreadable=run.unreadable)
    run.end("reconcile")
    return dict(found)


async def _recordings(
    services: Services, run: Run, bucket: str, there: set[int], found: Counter[str]
) -> None:
    """Accept recordings without a visit; add a hash of every path to `there`, 70 bytes each."""
    now = services.clock.now()

    async def adopt(upload: Upload) -> None:
        await _adopt_orphan(services, upload, found)

    async for page in pages(
        lambda after: services.audio.uploads(bucket, now - RECORDINGS_WINDOW, after)
    ):
        settled = [up for up in page.items if up.announced_at and up.announced_at < now - SETTLED]
        there.update(hash(upload.audio.storage_path) for upload in settled)
        await run.at_once(settled, adopt)
        if page.cursor is not None and run.is_over():
            return


async def _adopt_orphan(services: Services, upload: Upload, found: Counter[str]) -> None:
    stored = await services.store.get(upload.visit_id)
    path, generation = upload.audio.storage_path, upload.audio.generation
    if stored is not None and generation_known(stored.visit, path) >= generation:
        return
    if stored is None and await was_deleted(services, upload):
        found["recordings_of_deleted_visits"] += 1
        return
    logs.event("recording_without_a_visit", "warning")
    found["recordings_without_a_visit"] += 1
    # The age of the recording is ignored: its event was lost, which is not the owner's fault.
    await accept.accept(services, upload.model_copy(update={"announced_at": None}))


async def _missing(
    services: Services, run: Run, there: set[int], now: datetime, found: Counter[str]
) -> None:
    after, before = now - RECORDINGS_WINDOW + SETTLED, now - SETTLED

    async def report(stored: Stored) -> None:
        visit = stored.visit
        if visit.audio is None or visit.audio_erased_at is not None:
            return
        if hash(visit.audio.storage_path) not in there and not await _is_there(services, visit):
            logs.event("visit_without_its_recording", "warning")
            found["visits_without_their_recording"] += 1

    async for page in pages(lambda at: services.retention_queries.between(after, before, PAGE, at)):
        await run.at_once(run.passed_over(page).items, report)
        if page.cursor is not None and run.is_over():
            return


async def _jobs(services: Services, run: Run, now: datetime, found: Counter[str]) -> None:
    """Settle the jobs in the provider's list, back to the beginning of the window."""

    async def settle(job: KnownJob) -> None:
        await _settle_job(services, job, found)

    async for page in pages(services.transcriber.listed):
        recent = [job for job in page.items if not _is_older(job, now - JOBS_WINDOW)]
        await run.at_once(recent, settle)
        if len(recent) < len(page.items) or (page.cursor is not None and run.is_over()):
            return


def _is_older(job: KnownJob, than: datetime) -> bool:
    return job.ordered_at is not None and job.ordered_at < than


async def _is_there(services: Services, visit: Visit) -> bool:
    """Return whether the recording is in the bucket; it may have arrived later than the visit."""
    assert visit.audio is not None
    folder = recordings_folder(visit.user_id, visit.visit_id)
    return await services.audio.has(visit.audio.bucket, folder)


async def _settle_job(services: Services, job: KnownJob, found: Counter[str]) -> None:
    path = named_in(job.audio_url, services.policy.bucket)
    owner = recording_of(path) if path else None
    if owner is None or not job.is_over:
        return  # the job is for a foreign recording, or still running
    _, visit_id = owner
    with logs.about(visitId=visit_id):
        stored = await services.store.get(visit_id)
        try:
            if stored is not None:
                if _is_of_held_file(stored.visit, job):
                    return
                if not await _is_settled(services, stored, job.transcript_id):
                    return
            elif (deletion := await services.deletions.get(visit_id)) is None:
                logs.event("job_without_a_visit", "warning")
                found["jobs_without_a_visit"] += 1
            elif deletion[0].completed_at is None:
                return  # the visit's own sweep deletes the job, after every worker has stopped
            deleted = await services.transcriber.delete(job.transcript_id)
            found["provider_copies_deleted"] += deleted
        except Transient as error:
            logs.failure("provider_copy_kept", error)


def _is_of_held_file(visit: Visit, job: KnownJob) -> bool:
    """Return whether the job's file waits for the end of a legal hold; the job is adopted then."""
    return any(file.is_named_by(job.audio_url) for file in visit.held_takes)


async def _is_settled(services: Services, stored: Stored, transcript_id: str) -> bool:
    """Return whether the job may be deleted.

    It may be deleted when no worker looks for it and its cost is on the visit's ledger.

    The cost is saved only if the visit is unchanged, so that a concurrent retry keeps the job.
    """
    if _may_be_looked_for(stored.visit, services.clock.now()):
        return False
    if is_charged(stored.visit, transcript_id):
        return True
    if not stored.visit.processing_status.is_terminal:
        return False
    try:
        job = await services.transcriber.fetch(transcript_id)
    except JobGone:
        return False
    except (Permanent, Unreadable) as error:
        logs.failure("job_not_charged", error)  # an unreadable job is deleted, too
        seconds = 0.0
    else:
        if not isinstance(job.state, Transcribed):
            return isinstance(job.state, Failed)  # a failed job costs nothing
        seconds = job.state.transcript.duration_seconds or 0.0
    charged = e.JobCharged(None, e.Charge(transcript_id, seconds))
    saved = await save_event(services, stored, charged, still_wanted=_is_as(stored.visit))
    return saved is not None and is_charged(saved.visit, transcript_id)


def _is_as(read: Visit) -> Callable[[Visit], bool]:
    """Return a check whether the visit has the same attempt and status as when it was read."""
    return lambda now: (
        now.attempt == read.attempt and now.processing_status is read.processing_status
    )


def _may_be_looked_for(visit: Visit, now: datetime) -> bool:
    """Return whether a worker may look for the job: for its transcript, or to see that it exists.

    A worker that does not find the job orders and pays for another one. So the job stays until all
    workers that began before the transcript was stored, or before the visit ended, have stopped. It
    stays longer where a retry would adopt it.
    """
    if visit.refused_takes and now - visit.refused_takes[-1].at < SETTLED:
        return True
    if visit.transcription is not None and visit.transcription.completed_at is not None:
        return now - visit.transcription.completed_at < SETTLED
    if not visit.processing_status.is_terminal:
        return True
    ended_at = visit.timings.processing_completed_at if visit.timings else None
    error = visit.processing_error
    failed = visit.processing_status is ProcessingStatus.FAILED
    kept_for = KEPT_FOR_RETRY if failed and error and error.retryable else SETTLED
    return now - (ended_at or visit.updated_at) < kept_for


def _log_failure(trouble: Exception) -> None:
    logs.failure("reconciliation_failed", trouble)
