"""Submit a recording: check it under a lease, and order its transcript (a paid job).

Every outcome is one event, saved once at the end. Only the order costs money; a repeated submission
first looks for the job of an earlier submission.
"""

from dataclasses import dataclass, replace
from typing import Final

from lumimd.coordination.admission.admit import Waits
from lumimd.domain import events as e
from lumimd.domain.audio import Audio
from lumimd.domain.codes import ErrorCode
from lumimd.domain.commit import Stored
from lumimd.domain.errors import Held, MeasuringDied, Permanent, RefusedAlone, Transient, Unreadable
from lumimd.domain.takes import check_together
from lumimd.domain.timing import MAX_TRIES
from lumimd.domain.visit import Visit
from lumimd.pipeline.lease import still_held, within_lease
from lumimd.pipeline.save import Decision, save_decision
from lumimd.pipeline.services import Services
from lumimd.policies.deployment_faults import is_fault, since_fault
from lumimd.policies.waiting import (
    FIRST,
    GIVE_UP_AFTER,
    SIGNED_URL_VALID_FOR,
    held_until,
    put_aside,
)
from lumimd.ports.transcriber import Transcribed
from lumimd.telemetry import logs

MAX_EXPIRED_LEASES: Final = 2 * MAX_TRIES
"""Submission leases that may expire without an outcome; most of their workers paid for no job."""


@dataclass
class _Progress:
    """The progress of a submission: the quota `counted` it; `ordering` of the job has begun."""

    counted: bool = False
    ordering: bool = False


async def submit(services: Services, leased: Stored) -> None:
    """Check the leased recording and order its transcript (a paid job), unless it was ordered.

    Raises:
        Transient: the store is not available, or the visit changes faster than it can be read.
    """
    event = await _outcome(services, leased.visit)
    if isinstance(event, e.SubmissionDeferred | e.SubmissionHeld | e.SubmissionQueued):
        decision = Decision(event, still_wanted=still_held(leased))
    else:
        decision = Decision(event)
    await save_decision(services, leased, decision)


async def _outcome(services: Services, visit: Visit) -> e.Event:
    progress = _Progress()
    try:
        async with within_lease(services, visit, ErrorCode.TRANSCRIPTION_UNAVAILABLE):
            return await _submitted(services, visit, progress)
    except Permanent as error:
        return e.AudioRejected(visit.attempt, error.code)
    except Held as error:
        event = _held(services, visit, error, may_have_ordered=progress.ordering)
    except Transient as error:
        logs.failure("submission_failed", error)
        event = _put_aside(services, visit, error, used_a_try=progress.ordering)
    if isinstance(event, e.SubmissionDeferred | e.SubmissionHeld):
        return replace(event, counted=progress.counted)
    return event


async def _submitted(services: Services, visit: Visit, progress: _Progress) -> e.Event:
    """Submit step by step: look for an earlier job, apply the quota, check, get a permit, order."""
    audio = visit.audio
    assert audio is not None
    services.transcriber.limits.checked(audio)
    provider = services.transcriber.provider
    transcript_id = await _ordered_before(services, visit, audio)
    if transcript_id is not None:
        return e.TranscriptionSubmitted(visit.attempt, provider, transcript_id, audio)
    waits = await services.admission.over_quota(visit)
    if waits is not None:
        return _queued(visit, waits)
    progress.counted = True
    audio = await _measured(services, visit, audio)
    waits = await services.admission.may_submit(visit)
    if waits is not None:
        return _queued(visit, waits)
    url = await services.audio.signed_url(audio, SIGNED_URL_VALID_FOR)
    progress.ordering = True
    transcript_id = await services.transcriber.submit(
        url, visit_id=visit.visit_id, attempt=visit.attempt
    )
    return e.TranscriptionSubmitted(visit.attempt, provider, transcript_id, audio)


def _queued(visit: Visit, waits: Waits) -> e.Event:
    return e.SubmissionQueued(visit.attempt, waits.turn, waits.until)


async def _measured(services: Services, visit: Visit, audio: Audio) -> Audio:
    """Return the recording with its duration, or without one after `MAX_TRIES` worker crashes.

    The provider may be able to read such a recording.
    """
    if visit.expired_leases >= MAX_TRIES:
        return audio
    measured = services.transcriber.limits.checked(await services.audio.measure(audio))
    check_together(visit, measured)
    return measured


async def _ordered_before(services: Services, visit: Visit, audio: Audio) -> str | None:
    """Look before paying: return the id of a job that an earlier lease's worker has ordered.

    The job keeps the permit that was taken for it, and is adopted even if the recording is gone.

    Raises:
        Permanent: no job exists, and the tries are used up.
    """
    if visit.possible_orders > 1:
        found = await _ended_after_all(services, visit)
        if found is None:
            find, given_up = services.transcriber.find, visit.given_up_jobs
            found = await (find(audio, without=given_up) if given_up else find(audio))
        if found is not None:
            logs.event("job_adopted")
            return found
    if visit.stage_tries > MAX_TRIES or visit.expired_leases > MAX_EXPIRED_LEASES:
        raise Permanent(ErrorCode.TRANSCRIPTION_UNAVAILABLE)
    return None


async def _ended_after_all(services: Services, visit: Visit) -> str | None:
    """Return a job of this recording that was given up, but completed later and so is paid for."""
    assert visit.audio is not None
    for transcript_id in reversed(visit.given_up_jobs):
        try:
            job = await services.transcriber.fetch(transcript_id)
        except Exception as trouble:
            if isinstance(trouble, Transient) and not isinstance(trouble, Unreadable):
                raise
            # The job is gone or unreadable, which is the reason why it was given up.
            logs.event("given_up_job_lost", code=type(trouble).__name__)
            continue
        if isinstance(job.state, Transcribed) and visit.audio.is_named_by(job.audio_url):
            return transcript_id
    return None


def _held(services: Services, visit: Visit, error: Held, *, may_have_ordered: bool) -> e.Event:
    """Wait for the provider, at least until its list shows a job whose response was lost."""
    now = services.clock.now()
    held_for = now - since_fault(visit, visit.held_since or now)
    if isinstance(error, RefusedAlone) and held_for > GIVE_UP_AFTER:
        return e.AudioRejected(visit.attempt, ErrorCode.TRANSCRIPTION_FAILED)
    until = held_until(visit, error, now)
    if may_have_ordered:
        until = max(until, now + FIRST)
    return e.SubmissionHeld(visit.attempt, until, for_fault=is_fault(error))


def _put_aside(services: Services, visit: Visit, error: Transient, *, used_a_try: bool) -> e.Event:
    """Try the submission again later; only a sent order (paid job) uses up a try.

    While the recording or the provider's list cannot be reached, a transcript may exist. So the
    submission is repeated for a day, however often it was tried.
    """
    now, times = services.clock.now(), visit.trouble.times + 1 if visit.trouble else 1
    troubled_at = since_fault(visit, visit.trouble.first_at) if visit.trouble else now
    if now - troubled_at > GIVE_UP_AFTER:
        return e.TranscriptionFailed(visit.attempt, ErrorCode.TRANSCRIPTION_UNAVAILABLE)
    until = now + put_aside(times, error.retry_after_s)
    died = isinstance(error, MeasuringDied)
    return e.SubmissionDeferred(visit.attempt, until, error.code, used_a_try, died=died)
