"""READ FIRST. How a visit goes: accept, submit, collect (`collecting.py`), summarize.

Every step reads the visit, asks the table (`visit.py`) what an event makes of it, saves the answer
on the condition that nobody else has written, and only then performs the effects. Whatever is lost
on the way, `wake_at` brings back (`recovery.py`).
"""

from dataclasses import replace
from datetime import timedelta
from typing import Final

from lumimd.coordination.admission.admit import Waits
from lumimd.domain import events as e
from lumimd.domain.audio import Audio
from lumimd.domain.commit import Stored
from lumimd.domain.errors import (
    ErrorCode,
    Held,
    MeasuringDied,
    Permanent,
    RefusedAlone,
    Transient,
    Unreadable,
)
from lumimd.domain.takes import check_together
from lumimd.domain.timing import MAX_TRIES
from lumimd.domain.visit import Visit
from lumimd.pipeline.lease import still_held, within_lease
from lumimd.pipeline.save import save_event
from lumimd.pipeline.services import Services
from lumimd.policies.deployment_faults import is_fault, since_fault
from lumimd.policies.waiting import FIRST, GIVE_UP_AFTER, held_until, put_aside
from lumimd.ports.transcriber import Transcribed
from lumimd.telemetry import logs

SIGNED_URL_VALID_FOR: Final = timedelta(hours=1)
"""A queued job must still be able to fetch the recording; the provider starts within minutes."""

MAX_EXPIRED_LEASES: Final = 2 * MAX_TRIES
"""Holders of a submission that say nothing: most of them have ordered nothing, and nobody knows."""


async def submit(services: Services, leased: Stored) -> None:
    """Check the claimed recording and order its transcript, unless it was ordered already."""
    visit = leased.visit
    assert visit.audio is not None
    event: e.Event
    ordering = False
    counted = False
    waits: Waits | None = None
    transcript_id: str | None = None
    try:
        async with within_lease(services, visit, ErrorCode.TRANSCRIPTION_UNAVAILABLE):
            visit.audio.check_size()
            audio = visit.audio
            transcript_id = await _ordered_before(services, visit, audio)
            if transcript_id is None:
                waits = await services.admission.over_quota(visit)
                counted = waits is None
            if waits is None and transcript_id is None:
                audio = await _measured(services, visit, audio)
                waits = await services.admission.may_submit(visit)
            if waits is None and transcript_id is None:
                url = await services.audio.signed_url(audio, SIGNED_URL_VALID_FOR)
                ordering = True
                transcript_id = await services.transcriber.submit(
                    url, visit_id=visit.visit_id, attempt=visit.attempt
                )
    except Permanent as error:
        event = e.AudioRejected(visit.attempt, error.code)
    except Held as error:
        event = _held(services, visit, error, may_have_ordered=ordering)
    except Transient as error:
        logs.failure("submission_failed", error)
        event = _put_aside(services, visit, error, used_a_try=ordering)
    else:
        if waits is not None:
            event = e.SubmissionQueued(visit.attempt, waits.turn, waits.until)
        else:
            assert transcript_id is not None
            provider = services.transcriber.provider
            event = e.TranscriptionSubmitted(visit.attempt, provider, transcript_id, audio)
    if isinstance(event, e.SubmissionDeferred | e.SubmissionHeld):
        event = replace(event, counted=counted)
    if isinstance(event, e.SubmissionDeferred | e.SubmissionHeld | e.SubmissionQueued):
        await save_event(services, leased, event, still_wanted=still_held(leased))
    else:
        await save_event(services, leased, event)


async def _measured(services: Services, visit: Visit, audio: Audio) -> Audio:
    """The recording with its duration; unmeasured after `MAX_TRIES` crashes of its workers.

    The provider may well be able to read it.
    """
    if visit.expired_leases >= MAX_TRIES:
        return audio
    measured = await services.audio.measure(audio)
    check_together(visit, measured)
    return measured


async def _ordered_before(services: Services, visit: Visit, audio: Audio) -> str | None:
    """Look before you pay: the id of the job that an earlier holder of the claim has ordered.

    It has the place that was taken for it, and is wanted whatever has become of the recording.
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
    """A job of this recording that was given up and has its transcript now: it is paid for."""
    assert visit.audio is not None
    for transcript_id in reversed(visit.given_up_jobs):
        try:
            job = await services.transcriber.fetch(transcript_id)
        except Exception as trouble:
            if isinstance(trouble, Transient) and not isinstance(trouble, Unreadable):
                raise
            # It is gone, or cannot be understood, which is why it was given up.
            logs.event("given_up_job_lost", code=type(trouble).__name__)
            continue
        if isinstance(job.state, Transcribed) and visit.audio.is_named_by(job.audio_url):
            return transcript_id
    return None


def _held(services: Services, visit: Visit, error: Held, *, may_have_ordered: bool) -> e.Event:
    """Wait for the provider; long enough for its list to show an order whose answer was lost."""
    now = services.clock.now()
    held_for = now - since_fault(visit, visit.held_since or now)
    if isinstance(error, RefusedAlone) and held_for > GIVE_UP_AFTER:
        return e.AudioRejected(visit.attempt, ErrorCode.TRANSCRIPTION_FAILED)
    until = held_until(visit, error, now)
    if may_have_ordered:
        until = max(until, now + FIRST)
    return e.SubmissionHeld(visit.attempt, until, for_fault=is_fault(error))


def _put_aside(services: Services, visit: Visit, error: Transient, *, used_a_try: bool) -> e.Event:
    """Try the submission again later; only an order that was sent uses up a try.

    Whoever cannot reach the recording, or cannot look at the provider's list, does not know that
    there is no transcript: that goes on for a day, whatever the tries.
    """
    now, times = services.clock.now(), visit.trouble.times + 1 if visit.trouble else 1
    troubled_at = since_fault(visit, visit.trouble.first_at) if visit.trouble else now
    if now - troubled_at > GIVE_UP_AFTER:
        return e.TranscriptionFailed(visit.attempt, ErrorCode.TRANSCRIPTION_UNAVAILABLE)
    until = now + put_aside(times, error.retry_after_s)
    died = isinstance(error, MeasuringDied)
    return e.SubmissionDeferred(visit.attempt, until, error.code, used_a_try, died=died)
