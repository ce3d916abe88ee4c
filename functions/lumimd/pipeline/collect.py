"""Fetching what a transcription job has come to, whoever says that it may be done.

Webhook and poller share one way; the table decides who came first.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from lumimd.domain import events as e
from lumimd.domain.commit import Stored
from lumimd.domain.errors import ErrorCode, Held, Permanent, RefusedAlone, Transient
from lumimd.domain.ledger import is_charged
from lumimd.domain.speaker_roles import assign_roles
from lumimd.domain.takes import joined_takes, takes_of
from lumimd.domain.transcript import Transcript
from lumimd.domain.visit import ProcessingStatus, Visit
from lumimd.pipeline.save import save_event
from lumimd.pipeline.services import Services
from lumimd.policies.deployment_faults import is_fault
from lumimd.policies.flags import Switch
from lumimd.policies.job_limit import is_overdue
from lumimd.policies.waiting import held_until, put_aside
from lumimd.ports.transcriber import Failed, Job, JobGone, Running, Transcribed
from lumimd.telemetry import logs

COLLECT_WITHIN_S: Final = 8.0
"""The provider waits ten seconds for the answer to its webhook."""

MAX_RESTARTS: Final = 2
"""New jobs for a recording whose job the provider lost; lost jobs are not charged."""


async def collect(services: Services, visit_id: str, attempt: int, transcript_id: str) -> None:
    """Somebody says that a job of this visit is done. That is a hint: ask the provider itself.

    Raises:
        Transient: the provider or the store is not available; say it again.
    """
    stored = await services.store.get(visit_id)
    if stored is None or stored.visit.attempt != attempt:
        logs.event("hint_ignored")
        return
    visit = stored.visit
    with logs.about(trace=visit.trace):
        flags = await services.flags.now()
        if not flags.is_on_for(Switch.WEBHOOKS, visit.user_id):
            logs.event("hint_ignored", code=Switch.WEBHOOKS)
            return  # the poller asks, every minute
        job_id = visit.transcription.transcript_id if visit.transcription else transcript_id
        if visit.processing_status not in (
            ProcessingStatus.PENDING,
            ProcessingStatus.TRANSCRIBING,
        ):
            logs.event("hint_was_late")
            return
        try:
            job = await services.transcriber.fetch(job_id)
        except JobGone:
            logs.event("hint_ignored")
            return
        if isinstance(job.state, Running) or not _is_of(job, visit):
            logs.event("hint_ignored")
            return
        await _conclude(services, stored, job)


async def collect_in_time(
    services: Services, visit_id: str, attempt: int, transcript_id: str
) -> None:
    """Collect while the provider waits for the answer; if that is too short, at the next wake-up.

    Raises:
        Transient: the provider or the store is not available; say it again.
    """
    try:
        async with asyncio.timeout(COLLECT_WITHIN_S):
            await collect(services, visit_id, attempt, transcript_id)
        return
    except TimeoutError:
        logs.event("collection_postponed")
    stored = await services.store.get(visit_id)
    if stored is None or stored.visit.attempt != attempt:
        return
    visit = stored.visit
    if visit.processing_status is ProcessingStatus.TRANSCRIBING and visit.trouble is None:
        await save_event(services, stored, e.TranscriptionPolled(attempt, services.clock.now()))
    elif visit.processing_status in (ProcessingStatus.PENDING, ProcessingStatus.TRANSCRIBING):
        # The job's id is not on record yet, or a poll was told to wait, which a wake-up at once
        # would not heed: what is said now must be said again.
        raise Transient(ErrorCode.TRANSCRIPTION_UNAVAILABLE)


async def poll(services: Services, stored: Stored) -> None:
    """Ask the provider about the job of a visit that is being transcribed.

    The job's time limit holds after a bug as well: the visit is put aside like any other.

    Raises:
        Transient: the store is not available.
    """
    try:
        await _poll(services, stored)
    except Transient:
        raise
    except Exception as bug:
        broken = Transient(ErrorCode.TRANSCRIPTION_FAILED)
        again = _unanswered_poll(services, stored.visit, broken)
        logs.failure("poll_failed", bug)
        await save_event(services, stored, again, still_wanted=_nobody_asked_since(stored))
        raise


async def _poll(services: Services, stored: Stored) -> None:
    visit = stored.visit
    assert visit.transcription is not None
    try:
        job = await services.transcriber.fetch(visit.transcription.transcript_id)
    except JobGone:
        await save_event(
            services, stored, _restarted(services, visit, ErrorCode.TRANSCRIPTION_FAILED)
        )
    except Permanent as error:
        await save_event(services, stored, e.TranscriptionFailed(visit.attempt, error.code))
    except Transient as error:
        logs.failure("poll_failed", error)
        again = _unanswered_poll(services, visit, error)
        nobody_asked = _nobody_asked_since(stored)
        asked_to_wait = error.retry_after_s is not None

        def still_wanted(now: Visit) -> bool:
            return nobody_asked(now) or (asked_to_wait and _comes_before(now, again))

        await save_event(services, stored, again, still_wanted=still_wanted)
    else:
        await _conclude(services, stored, job)


def _comes_before(visit: Visit, polled: e.Event) -> bool:
    """Whether the visit would ask before the time that a poll was told to wait for."""
    return (
        isinstance(polled, e.TranscriptionPolled)
        and visit.wake_at is not None
        and visit.wake_at < polled.next_poll_at
    )


def _unanswered_poll(services: Services, visit: Visit, error: Transient) -> e.Event:
    now = services.clock.now()
    if isinstance(error, Held) and not isinstance(error, RefusedAlone):
        until = held_until(visit, error, now)
        return e.TranscriptionPolled(visit.attempt, until, for_fault=is_fault(error))
    if is_overdue(visit, now):
        return _restarted(services, visit, error.code, given_up=True)
    failures = visit.trouble.times + 1 if visit.trouble else 1
    next_poll_at = now + put_aside(failures, error.retry_after_s)
    return e.TranscriptionPolled(visit.attempt, next_poll_at, error.code)


def _is_of(job: Job, visit: Visit) -> bool:
    return visit.audio is not None and visit.audio.is_named_by(job.audio_url)


async def _conclude(services: Services, stored: Stored, job: Job) -> None:
    """Save what became of the job; a transcript is stored together with the status."""
    visit = stored.visit
    match job.state:
        case Running() if is_overdue(visit, services.clock.now()):
            logs.event("job_overdue", "warning")
            code = ErrorCode.TRANSCRIPTION_FAILED
            await save_event(services, stored, _restarted(services, visit, code, given_up=True))
        case Running():
            next_poll_at = services.clock.now() + e.POLL_EVERY
            polled = e.TranscriptionPolled(visit.attempt, next_poll_at)
            await save_event(services, stored, polled, still_wanted=_nobody_asked_since(stored))
        case Failed(code, is_transient=False):
            failed = e.TranscriptionFailed(visit.attempt, code)
            await _forget_copy(services, stored, await save_event(services, stored, failed), job)
        case Failed(code):
            await save_event(services, stored, _restarted(services, visit, code))
        case Transcribed(transcript) if transcript.is_silent:
            charge = e.Charge(job.transcript_id, transcript.duration_seconds or 0.0)
            silent = e.TranscriptionFailed(visit.attempt, ErrorCode.NO_SPEECH, charge=charge)
            await _forget_copy(services, stored, await save_event(services, stored, silent), job)
        case Transcribed(transcript):
            await _store_transcript(services, stored, job, transcript)


async def _store_transcript(
    services: Services, stored: Stored, job: Job, heard: Transcript
) -> None:
    told = heard.model_copy(update={"utterances": assign_roles(heard.utterances)})
    transcript = told.divided()
    pages = (await _with_other_takes(services, stored.visit, transcript)).pages()
    provider = services.transcriber.provider
    event = e.TranscriptStored(
        stored.visit.attempt, provider, job.transcript_id, transcript, len(pages)
    )
    await _forget_copy(
        services, stored, await save_event(services, stored, event, pages=pages), job
    )


async def _with_other_takes(services: Services, visit: Visit, heard: Transcript) -> Transcript:
    if not takes_of(visit):
        return heard
    return joined_takes(visit, await services.store.transcript(visit.visit_id), heard)


async def _forget_copy(services: Services, read: Stored, saved: Stored | None, job: Job) -> None:
    """The job has ended, and its outcome and cost are on record: the provider's copy is deleted.

    Where there was a second lease, its worker may be looking for the job just now, and would order
    another one if it were gone; and where the visit goes on with another file, a Retry-After in
    answer to this call would hold for that one as well. Then reconciliation deletes it.
    """
    if saved is None or max(read.visit.possible_orders, saved.visit.possible_orders) > 1:
        return
    if saved.visit.attempt != read.visit.attempt:
        return
    if isinstance(job.state, Transcribed) and not is_charged(saved.visit, job.transcript_id):
        return  # the outcome came too late: reconciliation puts the job on the ledger first
    flags = await services.flags.now()
    if not flags.is_on(Switch.PROVIDER_COPIES_DELETED):
        return  # the provider forgets it by itself, later
    try:
        await services.transcriber.delete(job.transcript_id)
    except (Transient, Permanent) as error:
        logs.failure("provider_copy_kept", error)


def _nobody_asked_since(stored: Stored) -> Callable[[Visit], bool]:
    """Of overlapping polls, the one that was told to wait must not be overruled."""
    return lambda visit: visit.wake_at == stored.visit.wake_at


def _restarted(
    services: Services, visit: Visit, code: ErrorCode, *, given_up: bool = False
) -> e.Event:
    """A new job for a recording whose job was lost or given up, a bounded number of times."""
    if visit.restarts >= MAX_RESTARTS:
        return e.TranscriptionFailed(visit.attempt, code, given_up)
    until = services.clock.now() + put_aside(visit.restarts + 1, None)
    restarted = e.TranscriptionGivenUp if given_up else e.TranscriptionRestarted
    return restarted(visit.attempt, until, code)
