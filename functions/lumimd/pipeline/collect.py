"""Collect the outcome of a transcription job.

The webhook and the poller both call this module. It fetches the job and turns its state into one
`Decision`. If both collect the same job, the transition table refuses the second decision.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from lumimd.domain import events as e
from lumimd.domain.codes import ErrorCode
from lumimd.domain.commit import Stored
from lumimd.domain.errors import Held, Permanent, RefusedAlone, Transient
from lumimd.domain.ledger import is_charged
from lumimd.domain.speaker_roles import assign_roles
from lumimd.domain.takes import joined_takes, takes_of
from lumimd.domain.timing import POLL_EVERY
from lumimd.domain.transcript import Transcript
from lumimd.domain.visit import ProcessingStatus, Visit
from lumimd.pipeline.save import Decision, save_decision, save_event
from lumimd.pipeline.services import Services
from lumimd.policies.deployment_faults import is_fault
from lumimd.policies.flags import Switch
from lumimd.policies.job_limit import is_overdue
from lumimd.policies.time_budgets import COLLECT_WITHIN_S
from lumimd.policies.waiting import held_until, put_aside
from lumimd.ports.transcriber import Failed, Job, JobGone, Running, Transcribed
from lumimd.telemetry import logs

MAX_RESTARTS: Final = 2
"""The most new jobs for a recording whose job the provider lost; lost jobs are not charged."""

_COLLECTED_FROM: Final = (ProcessingStatus.PENDING, ProcessingStatus.TRANSCRIBING)


async def collect_in_time(
    services: Services, visit_id: str, attempt: int, transcript_id: str
) -> None:
    """Collect the job while the provider waits for a response; after that, leave it to the poller.

    Raises:
        Transient: the provider or the store is not available; the webhook must be repeated.
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
    elif visit.processing_status in _COLLECTED_FROM:
        # The job's id is not on record yet, or a poll received a Retry-After, so that polling now
        # is too early. The webhook must be repeated.
        raise Transient(ErrorCode.TRANSCRIPTION_UNAVAILABLE)


async def collect(services: Services, visit_id: str, attempt: int, transcript_id: str) -> None:
    """Fetch the job that a webhook names, and save its outcome.

    The webhook is only a hint: the job that this function fetches from the provider decides.

    Raises:
        Transient: the provider or the store is not available; the webhook must be repeated.
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
            return  # the poller fetches the job, every minute
        if visit.processing_status not in _COLLECTED_FROM:
            logs.event("hint_was_late")
            return
        job_id = visit.transcription.transcript_id if visit.transcription else transcript_id
        try:
            job = await services.transcriber.fetch(job_id)
        except JobGone:
            logs.event("hint_ignored")
            return
        if isinstance(job.state, Running) or not _is_of(job, visit):
            logs.event("hint_ignored")
            return
        await _save_outcome(services, stored, job)


async def poll(services: Services, stored: Stored) -> None:
    """Fetch the job of a visit that is being transcribed, and save its outcome.

    A bug counts as an unanswered poll, so that the job's time limit applies as well.

    Raises:
        Transient: the store is not available.
    """
    try:
        await _poll(services, stored)
    except Transient:
        raise
    except Exception as bug:
        logs.failure("poll_failed", bug)
        broken = Transient(ErrorCode.TRANSCRIPTION_FAILED)
        await save_decision(services, stored, _unanswered(services, stored, broken))
        raise


async def _poll(services: Services, stored: Stored) -> None:
    visit = stored.visit
    assert visit.transcription is not None
    try:
        job = await services.transcriber.fetch(visit.transcription.transcript_id)
    except JobGone:
        decision = Decision(_restarted(services, visit, ErrorCode.TRANSCRIPTION_FAILED))
    except Permanent as error:
        decision = Decision(e.TranscriptionFailed(visit.attempt, error.code))
    except Transient as error:
        logs.failure("poll_failed", error)
        decision = _unanswered(services, stored, error)
    else:
        await _save_outcome(services, stored, job)
        return
    await save_decision(services, stored, decision)


async def _save_outcome(services: Services, stored: Stored, job: Job) -> None:
    saved = await save_decision(services, stored, await _outcome(services, stored, job))
    match job.state:
        case Transcribed() | Failed(is_transient=False):
            await _forget_copy(services, stored, saved, job)


async def _outcome(services: Services, stored: Stored, job: Job) -> Decision:
    """Return the decision that follows from the state of the job."""
    visit, now = stored.visit, services.clock.now()
    match job.state:
        case Running() if is_overdue(visit, now):
            logs.event("job_overdue", "warning")
            code = ErrorCode.TRANSCRIPTION_FAILED
            return Decision(_restarted(services, visit, code, given_up=True))
        case Running():
            polled = e.TranscriptionPolled(visit.attempt, now + POLL_EVERY)
            return Decision(polled, still_wanted=_not_polled_since(stored))
        case Failed(code, is_transient=False):
            return Decision(e.TranscriptionFailed(visit.attempt, code))
        case Failed(code):
            return Decision(_restarted(services, visit, code))
        case Transcribed(transcript) if transcript.is_silent:
            charge = e.Charge(job.transcript_id, transcript.duration_seconds or 0.0)
            return Decision(
                e.TranscriptionFailed(visit.attempt, ErrorCode.NO_SPEECH, charge=charge)
            )
        case Transcribed(heard):
            roles = heard.model_copy(update={"utterances": assign_roles(heard.utterances)})
            transcript = roles.divided()
            pages = (await _with_other_takes(services, visit, transcript)).pages()
            provider = services.transcriber.provider
            return Decision(
                e.TranscriptStored(
                    visit.attempt, provider, job.transcript_id, transcript, len(pages)
                ),
                pages=pages,
            )


def _unanswered(services: Services, stored: Stored, error: Transient) -> Decision:
    """Decide to poll again later. Of overlapping polls, the longer Retry-After counts."""
    visit, now = stored.visit, services.clock.now()
    event: e.Event
    if isinstance(error, Held) and not isinstance(error, RefusedAlone):
        until = held_until(visit, error, now)
        event = e.TranscriptionPolled(visit.attempt, until, for_fault=is_fault(error))
    elif is_overdue(visit, now):
        event = _restarted(services, visit, error.code, given_up=True)
    else:
        failures = visit.trouble.times + 1 if visit.trouble else 1
        next_poll_at = now + put_aside(failures, error.retry_after_s)
        event = e.TranscriptionPolled(visit.attempt, next_poll_at, error.code)
    not_polled_since = _not_polled_since(stored)
    has_retry_after = error.retry_after_s is not None

    def still_wanted(visit: Visit) -> bool:
        return not_polled_since(visit) or (has_retry_after and _is_polled_before(visit, event))

    return Decision(event, still_wanted=still_wanted)


def _is_polled_before(visit: Visit, polled: e.Event) -> bool:
    """Return whether the visit would be polled before the time that `polled` sets."""
    return (
        isinstance(polled, e.TranscriptionPolled)
        and visit.wake_at is not None
        and visit.wake_at < polled.next_poll_at
    )


def _is_of(job: Job, visit: Visit) -> bool:
    return visit.audio is not None and visit.audio.is_named_by(job.audio_url)


async def _with_other_takes(services: Services, visit: Visit, heard: Transcript) -> Transcript:
    if not takes_of(visit):
        return heard
    return joined_takes(visit, await services.store.transcript(visit.visit_id), heard)


async def _forget_copy(services: Services, read: Stored, saved: Stored | None, job: Job) -> None:
    """Delete the provider's copy of a job whose outcome and cost are stored.

    The copy stays in two cases, and reconciliation deletes it later. After a second lease, a worker
    may be looking for the job, and would pay for another job if the copy were gone. Where the visit
    continues with another file, a Retry-After from this call would delay that file.
    """
    if saved is None or max(read.visit.possible_orders, saved.visit.possible_orders) > 1:
        return
    if saved.visit.attempt != read.visit.attempt:
        return
    if isinstance(job.state, Transcribed) and not is_charged(saved.visit, job.transcript_id):
        return  # the outcome came too late: reconciliation puts the job on the ledger first
    flags = await services.flags.now()
    if not flags.is_on(Switch.PROVIDER_COPIES_DELETED):
        return  # the provider deletes the copy later
    try:
        await services.transcriber.delete(job.transcript_id)
    except (Transient, Permanent) as error:
        logs.failure("provider_copy_kept", error)


def _not_polled_since(stored: Stored) -> Callable[[Visit], bool]:
    """Return a check that keeps the Retry-After of an overlapping poll from being overruled."""
    return lambda visit: visit.wake_at == stored.visit.wake_at


def _restarted(
    services: Services, visit: Visit, code: ErrorCode, *, given_up: bool = False
) -> e.Event:
    """Start a new job for a recording whose job was lost or given up, if a restart is left."""
    if visit.restarts >= MAX_RESTARTS:
        return e.TranscriptionFailed(visit.attempt, code, given_up)
    until = services.clock.now() + put_aside(visit.restarts + 1, None)
    restarted = e.TranscriptionGivenUp if given_up else e.TranscriptionRestarted
    return restarted(visit.attempt, until, code)
