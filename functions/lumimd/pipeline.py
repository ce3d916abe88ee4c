"""READ FIRST. How a visit goes: accept, submit, collect (`collecting.py`), summarize.

Every step reads the visit, asks the table (`visit.py`) what an event makes of it, saves the answer
on the condition that nobody else has written, and only then performs the effects. Whatever is lost
on the way, `wake_at` brings back (`recovery.py`).
"""

from dataclasses import replace
from datetime import timedelta
from typing import Final

from lumimd import events as e
from lumimd import logs
from lumimd.action_items import action_items
from lumimd.admission.admit import Waits
from lumimd.analysis import ANALYSES
from lumimd.analysis.visit_summary import Bill
from lumimd.audio import Audio, Upload
from lumimd.claims import SUBMISSION, claim, still_held, while_claimed
from lumimd.commit import Commit, Conflict, Stored
from lumimd.deployment import is_fault, since_fault
from lumimd.errors import ErrorCode, Held, Permanent, RefusedAlone, Transient, UnreadableDocument
from lumimd.fallback import (
    GIVE_UP_AFTER,
    end_without_model,
    go_on_without_model,
    held_until,
)
from lumimd.late_uploads import was_deleted, was_erased
from lumimd.legal_hold import as_marked, protect_recordings
from lumimd.measuring.died import MeasuringDied
from lumimd.parts import Parts
from lumimd.ports import Transcribed
from lumimd.recording import CONFLICTS, announce, dead_letter_of, record
from lumimd.records import Consent, ProcessingStatus, Visit
from lumimd.resilience.backoff import FIRST, MAX_TRIES, put_aside
from lumimd.resilience.retry import Unreadable
from lumimd.switched_off import held_by_switch, summarizer_for, waits_for_switch
from lumimd.takes import check_together
from lumimd.transcript import Transcript
from lumimd.visit import Advance, Effect, advance, audio_event

SIGNED_URL_VALID_FOR: Final = timedelta(hours=1)
"""A queued job must still be able to fetch the recording; the provider starts within minutes."""

MAX_DEATHS: Final = 2 * MAX_TRIES
"""Holders of a submission that say nothing: most of them have ordered nothing, and nobody knows."""

EVENT_CAP: Final = timedelta(hours=12)
"""An event that nobody could deal with for so long is not tried for ever: it is a dead letter."""


async def accept(parts: Parts, upload: Upload) -> None:
    """A recording has arrived: note it, claim it, and submit it.

    The same upload announced again, or by several events at once, is submitted once.

    Raises:
        Transient: nothing could be saved; the event must come again.
    """
    is_protected = False
    for _ in range(CONFLICTS):
        stored = await parts.store.get(upload.visit_id)
        if stored is not None and stored.visit.user_id != upload.user_id:
            logs.event("upload_of_another_user", "warning")
            return
        if stored is None and await was_erased(parts, upload):
            return
        if stored is not None and stored.visit.audio is not None:  # there is something to keep
            stored = await as_marked(parts, stored)
        now = parts.clock.now()
        visit = stored.visit if stored else _new_visit(parts, upload)
        if upload.consented and visit.consent is None:
            visit = visit.model_copy(update={"consent": Consent(given_at=now)})
        if visit.trace is None:  # its owner created it
            visit = visit.model_copy(update={"trace": parts.new_id()})
        arrived = audio_event(visit, upload.audio)
        accepted = advance(visit, arrived, now)
        if not accepted.changed:
            logs.event("upload_repeated")
            return
        if visit.legal_hold or is_protected:  # the hold may end between two tries
            await protect_recordings(parts, accepted.visit, held=visit.legal_hold)
            is_protected = visit.legal_hold
        next_event = await _next_event(parts, upload, accepted)
        claimed = advance(accepted.visit, next_event, now) if next_event else accepted
        steps = (accepted, claimed) if next_event else (accepted,)
        entries = tuple(step.entry for step in steps if step.entry)
        dead_letter = dead_letter_of(None, claimed.visit, now)
        was_dead = visit.processing_status is ProcessingStatus.FAILED
        commit = Commit(
            claimed.visit,
            entries,
            dead_letter=dead_letter,
            no_dead_letter=was_dead and dead_letter is None,
        )
        try:
            saved = await (
                parts.store.save(stored, commit) if stored else parts.store.create(commit)
            )
        except Conflict:
            if stored is None and await was_deleted(parts, upload):
                return
            continue
        announce(accepted, arrived)
        if next_event is not None:
            announce(claimed, next_event)
        if isinstance(next_event, e.SubmissionClaimed):
            with logs.about(attempt=saved.visit.attempt, trace=saved.visit.trace):
                await submit(parts, saved)
        return
    raise Transient(ErrorCode.INTERNAL_ERROR)


async def _next_event(parts: Parts, upload: Upload, accepted: Advance) -> e.Event | None:
    """Claims the submission of an arrived recording, if it may be processed and is not stale.

    None where it waits for its turn. The claim may be for an earlier file that had no end.
    """
    visit = accepted.visit
    if Effect.SUBMIT_AUDIO not in accepted.effects:
        return None
    if parts.policy.requires_consent and visit.consent is None:
        return e.AudioRejected(visit.attempt, ErrorCode.CONSENT_MISSING)
    announced_at = upload.announced_at if visit.audio == upload.audio else None
    if announced_at is not None and parts.clock.now() - announced_at > EVENT_CAP:
        return e.AudioRejected(visit.attempt, ErrorCode.RECEIVED_TOO_LATE)
    held = await held_by_switch(parts, visit)
    return held or e.SubmissionClaimed(visit.attempt, SUBMISSION.claim(parts))


async def submit(parts: Parts, claimed: Stored) -> None:
    """Check the claimed recording and order its transcript, unless it was ordered already."""
    visit = claimed.visit
    assert visit.audio is not None
    event: e.Event
    ordering = False
    counted = False
    waits: Waits | None = None
    transcript_id: str | None = None
    try:
        async with while_claimed(parts, visit, ErrorCode.TRANSCRIPTION_UNAVAILABLE):
            visit.audio.check_size()
            audio = visit.audio
            transcript_id = await _ordered_before(parts, visit, audio)
            if transcript_id is None:
                waits = await parts.admission.over_quota(visit)
                counted = waits is None
            if waits is None and transcript_id is None:
                audio = await _measured(parts, visit, audio)
                waits = await parts.admission.may_submit(visit)
            if waits is None and transcript_id is None:
                url = await parts.audio.signed_url(audio, SIGNED_URL_VALID_FOR)
                ordering = True
                transcript_id = await parts.transcriber.submit(
                    url, visit_id=visit.visit_id, attempt=visit.attempt
                )
    except Permanent as error:
        event = e.AudioRejected(visit.attempt, error.code)
    except Held as error:
        event = _held(parts, visit, error, may_have_ordered=ordering)
    except Transient as error:
        logs.failure("submission_failed", error)
        event = _put_aside(parts, visit, error, used_a_try=ordering)
    else:
        if waits is not None:
            event = e.SubmissionQueued(visit.attempt, waits.turn, waits.until)
        else:
            assert transcript_id is not None
            provider = parts.transcriber.provider
            event = e.TranscriptionSubmitted(visit.attempt, provider, transcript_id, audio)
    if isinstance(event, e.SubmissionDeferred | e.SubmissionHeld):
        event = replace(event, counted=counted)
    if isinstance(event, e.SubmissionDeferred | e.SubmissionHeld | e.SubmissionQueued):
        await record(parts, claimed, event, still_wanted=still_held(claimed))
    else:
        await record(parts, claimed, event)


async def _measured(parts: Parts, visit: Visit, audio: Audio) -> Audio:
    """The recording with its duration; unmeasured after `MAX_TRIES` crashes of its workers.

    The provider may well be able to read it.
    """
    if visit.deaths >= MAX_TRIES:
        return audio
    measured = await parts.audio.measure(audio)
    check_together(visit, measured)
    return measured


async def _ordered_before(parts: Parts, visit: Visit, audio: Audio) -> str | None:
    """Look before you pay: the id of the job that an earlier holder of the claim has ordered.

    It has the place that was taken for it, and is wanted whatever has become of the recording.
    """
    if visit.orders > 1:
        found = await _ended_after_all(parts, visit)
        if found is None:
            find, given_up = parts.transcriber.find, visit.given_up_jobs
            found = await (find(audio, without=given_up) if given_up else find(audio))
        if found is not None:
            logs.event("job_adopted")
            return found
    if visit.stage_tries > MAX_TRIES or visit.deaths > MAX_DEATHS:
        raise Permanent(ErrorCode.TRANSCRIPTION_UNAVAILABLE)
    return None


async def _ended_after_all(parts: Parts, visit: Visit) -> str | None:
    """A job of this recording that was given up and has its transcript now: it is paid for."""
    assert visit.audio is not None
    for transcript_id in reversed(visit.given_up_jobs):
        try:
            job = await parts.transcriber.fetch(transcript_id)
        except Exception as trouble:
            if isinstance(trouble, Transient) and not isinstance(trouble, Unreadable):
                raise
            # It is gone, or cannot be understood, which is why it was given up.
            logs.event("given_up_job_lost", code=type(trouble).__name__)
            continue
        if isinstance(job.state, Transcribed) and visit.audio.is_named_by(job.audio_url):
            return transcript_id
    return None


def _held(parts: Parts, visit: Visit, error: Held, *, may_have_ordered: bool) -> e.Event:
    """Wait for the provider; long enough for its list to show an order whose answer was lost."""
    now = parts.clock.now()
    held_for = now - since_fault(visit, visit.held_since or now)
    if isinstance(error, RefusedAlone) and held_for > GIVE_UP_AFTER:
        return e.AudioRejected(visit.attempt, ErrorCode.TRANSCRIPTION_FAILED)
    until = held_until(visit, error, now)
    if may_have_ordered:
        until = max(until, now + FIRST)
    return e.SubmissionHeld(visit.attempt, until, for_fault=is_fault(error))


def _put_aside(parts: Parts, visit: Visit, error: Transient, *, used_a_try: bool) -> e.Event:
    """Try the submission again later; only an order that was sent uses up a try.

    Whoever cannot reach the recording, or cannot look at the provider's list, does not know that
    there is no transcript: that goes on for a day, whatever the tries.
    """
    now, times = parts.clock.now(), visit.trouble.times + 1 if visit.trouble else 1
    troubled_at = since_fault(visit, visit.trouble.first_at) if visit.trouble else now
    if now - troubled_at > GIVE_UP_AFTER:
        return e.TranscriptionFailed(visit.attempt, ErrorCode.TRANSCRIPTION_UNAVAILABLE)
    until = now + put_aside(times, error.retry_after_s)
    died = isinstance(error, MeasuringDied)
    return e.SubmissionDeferred(visit.attempt, until, error.code, used_a_try, died=died)


async def summarize(parts: Parts, visit_id: str, attempt: int) -> None:
    """Make the summary of a transcribed visit and store it with its action items.

    Repeated or late tasks do nothing, and so does a task while another one works on the visit.

    Raises:
        Transient: the store is not available.
    """
    stored = await parts.store.get(visit_id)
    if (
        stored is None
        or stored.visit.attempt != attempt
        or stored.visit.processing_status is not ProcessingStatus.SUMMARIZING
    ):
        logs.event("task_was_late")
        return
    with logs.about(trace=stored.visit.trace):
        if await waits_for_switch(parts, stored):
            return
        claimed = await claim(parts, stored, e.SummaryClaimed)
        if claimed is not None:
            await _summarize(parts, claimed)


async def _summarize(parts: Parts, claimed: Stored) -> None:
    visit = claimed.visit
    bill = Bill(reserved=visit.claim.reserved if visit.claim else 0)
    try:
        if visit.stage_tries > MAX_TRIES:
            raise Permanent(ErrorCode.SUMMARY_UNAVAILABLE)
        async with while_claimed(parts, visit, ErrorCode.SUMMARY_UNAVAILABLE):
            summarizer = await summarizer_for(parts, visit)
            transcript = Transcript(utterances=await parts.store.transcript(visit.visit_id))
            summary = await ANALYSES[visit.kind](transcript, summarizer, bill)
    except Permanent as error:
        await end_without_model(parts, claimed, error.code, bill.settlement)
        return
    except UnreadableDocument as error:
        # Of a newer release: its transcript is neither summarized in part nor given up.
        until = held_until(visit, error, parts.clock.now())
        held = e.SummaryHeld(visit.attempt, until, paid=bill.settlement)
        await record(parts, claimed, held, still_wanted=still_held(claimed))
        return
    except Transient as error:
        logs.failure("summary_failed_for_now", error)
        if bill.kept is None:
            await go_on_without_model(parts, claimed, error, bill.settlement)
            return
        summary = bill.kept  # the time was up for the second ask, and not for what was paid
    actions = action_items(visit, summary, transcript, parts.clock.now())
    event = e.SummaryStored(visit.attempt, summarizer.source, summary, paid=bill.settlement)
    await record(parts, claimed, event, actions=actions)


def _new_visit(parts: Parts, upload: Upload) -> Visit:
    now = parts.clock.now()
    return Visit(
        visit_id=upload.visit_id,
        user_id=upload.user_id,
        created_at=now,
        updated_at=now,
        trace=parts.new_id(),
    )
