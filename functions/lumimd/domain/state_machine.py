"""The statuses of a visit as one explicit table, without any I/O, clock or randomness.

    TRANSITIONS:      (processingStatus, event) -> (processingStatus, effects)
    LATE_OR_REPEATED: the pairs that at-least-once delivery causes; nothing changes
    every other pair: IllegalTransition

Two invariants hold after every `advance`. A visit in a non-terminal status has a `wake_at`, so that
the scheduled function checks the visit again even if every effect is lost. A visit in a terminal
status has no `wake_at`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from itertools import product
from typing import Final

from lumimd.domain import events as e
from lumimd.domain.audio import Audio
from lumimd.domain.codes import ErrorCode
from lumimd.domain.progress import PERCENT, seconds_remaining
from lumimd.domain.takes import generation_known, has_room, takes_of
from lumimd.domain.timing import LONG
from lumimd.domain.visit import HistoryEntry, ProcessingStatus, Status, Visit

_P = ProcessingStatus


class Effect(StrEnum):
    """Work that follows the save of the new state. If an effect is lost, `wake_at` repeats it."""

    SUBMIT_AUDIO = "submit_audio"
    REQUEST_SUMMARY = "request_summary"
    RELEASE_PERMIT = "release_permit"


@dataclass(frozen=True)
class Transition:
    """The status of a visit after an event, and the effects of the event."""

    to: ProcessingStatus
    effects: tuple[Effect, ...] = ()


class IllegalTransition(Exception):
    """The table has no transition for this event in this status, which is a bug."""

    def __init__(self, status: ProcessingStatus, event: type[e.Event]) -> None:
        super().__init__(f"{event.__name__} while {status}")


_SUBMIT: Final = Transition(_P.PENDING, (Effect.SUBMIT_AUDIO,))
_STORED: Final = Transition(_P.SUMMARIZING, (Effect.REQUEST_SUMMARY,))
_FAILED: Final = Transition(_P.FAILED)
# The job has ended at the provider, with or without a transcript, so its permit is released.
_TRANSCRIBED: Final = Transition(_P.SUMMARIZING, (Effect.REQUEST_SUMMARY, Effect.RELEASE_PERMIT))
_NOT_TRANSCRIBED: Final = Transition(_P.FAILED, (Effect.RELEASE_PERMIT,))
_AGAIN: Final = Transition(_P.PENDING, (Effect.RELEASE_PERMIT,))
_KEPT: Final = Transition(_P.COMPLETED, (Effect.RELEASE_PERMIT,))
_CANCELLED: Final = Transition(_P.CANCELLED)
_STOPPED: Final = Transition(_P.COMPLETED)  # the permit stays until the stopped job ends

TRANSITIONS: Final[Mapping[tuple[ProcessingStatus, type[e.Event]], Transition]] = {
    (_P.PENDING, e.AudioAccepted): _SUBMIT,
    (_P.PENDING, e.AudioReplaced): _SUBMIT,
    (_P.PENDING, e.SubmissionClaimed): Transition(_P.PENDING),
    (_P.PENDING, e.SubmissionDeferred): Transition(_P.PENDING),
    (_P.PENDING, e.SubmissionHeld): Transition(_P.PENDING),
    (_P.PENDING, e.SubmissionQueued): Transition(_P.PENDING),
    (_P.PENDING, e.AudioRejected): _NOT_TRANSCRIBED,
    (_P.PENDING, e.TranscriptionSubmitted): Transition(_P.TRANSCRIBING),
    # The result of the job arrived before the job's id was saved.
    (_P.PENDING, e.TranscriptStored): _TRANSCRIBED,
    (_P.PENDING, e.TranscriptionFailed): _NOT_TRANSCRIBED,
    (_P.PENDING, e.TranscriptionRestarted): _AGAIN,
    (_P.PENDING, e.VisitCancelled): _CANCELLED,
    (_P.TRANSCRIBING, e.AudioReplaced): _SUBMIT,
    (_P.TRANSCRIBING, e.TranscriptionPolled): Transition(_P.TRANSCRIBING),
    (_P.TRANSCRIBING, e.TranscriptStored): _TRANSCRIBED,
    (_P.TRANSCRIBING, e.TranscriptionFailed): _NOT_TRANSCRIBED,
    (_P.TRANSCRIBING, e.TranscriptionRestarted): _AGAIN,
    (_P.TRANSCRIBING, e.TranscriptionGivenUp): Transition(_P.PENDING),
    (_P.TRANSCRIBING, e.VisitCancelled): _CANCELLED,
    (_P.SUMMARIZING, e.AudioReplaced): _SUBMIT,
    (_P.SUMMARIZING, e.SummaryRequested): _STORED,
    (_P.SUMMARIZING, e.SummaryClaimed): Transition(_P.SUMMARIZING),
    (_P.SUMMARIZING, e.SummaryDeferred): Transition(_P.SUMMARIZING),
    (_P.SUMMARIZING, e.SummaryHeld): Transition(_P.SUMMARIZING),
    (_P.SUMMARIZING, e.ProvisionalSummaryStored): Transition(_P.SUMMARIZING),
    (_P.SUMMARIZING, e.SummaryStored): Transition(_P.COMPLETED),
    (_P.SUMMARIZING, e.SummaryFailed): _FAILED,
    (_P.SUMMARIZING, e.VisitCancelled): _CANCELLED,
    (_P.COMPLETED, e.AudioReplaced): _SUBMIT,
    # A visit of several files: the files are processed one by one, in the order of their upload.
    (_P.PENDING, e.TakeAdded): Transition(_P.PENDING),
    (_P.TRANSCRIBING, e.TakeAdded): Transition(_P.TRANSCRIBING),
    (_P.SUMMARIZING, e.TakeAccepted): _SUBMIT,
    (_P.COMPLETED, e.TakeAccepted): _SUBMIT,
    (_P.FAILED, e.TakeAccepted): _SUBMIT,
    (_P.CANCELLED, e.TakeAccepted): _SUBMIT,
    **{(_s, e.TakeTranscribed): _AGAIN for _s in (_P.PENDING, _P.TRANSCRIBING)},
    **{(_s, e.TakeRefused): _AGAIN for _s in (_P.PENDING, _P.TRANSCRIBING)},
    **{(_s, e.TranscriptKept): _TRANSCRIBED for _s in (_P.PENDING, _P.TRANSCRIBING)},
    **{(_s, e.ResultsKept): _KEPT for _s in (_P.PENDING, _P.TRANSCRIBING)},
    # Under legal hold: work that would replace stored results waits for the release.
    **{(_s, _e): Transition(_s) for _s, _e in product(_P, (e.HoldSet, e.TakeHeld, e.HoldReleased))},
    **{(_s, e.TakeStoppedByHold): _STOPPED for _s in (_P.PENDING, _P.TRANSCRIBING)},
    **{(_s, e.TranscriptKeptByHold): _STORED for _s in (_P.PENDING, _P.TRANSCRIBING)},
    (_P.SUMMARIZING, e.SummaryStoppedByHold): _STOPPED,
    (_P.COMPLETED, e.SummaryResumed): _STORED,
    (_P.FAILED, e.AudioReplaced): _SUBMIT,
    (_P.FAILED, e.SubmissionRetried): _SUBMIT,
    (_P.FAILED, e.SummaryRetried): _STORED,
    (_P.FAILED, e.ConsentGivenLate): _SUBMIT,
    (_P.COMPLETED, e.SummaryRegenerated): _STORED,
    **{(_s, e.VisitExpired): _FAILED for _s in (_P.PENDING, _P.TRANSCRIBING, _P.SUMMARIZING)},
    **{(_s, _e): Transition(_s) for _s, _e in product(_P, (e.ConsentGiven, e.VisitEdited))},
    **{(_s, e.JobCharged): Transition(_s) for _s in _P if _s.is_terminal},
    (_P.PENDING, e.VisitPrioritized): Transition(_P.PENDING),
    (_P.TRANSCRIBING, e.VisitPrioritized): Transition(_P.TRANSCRIBING),
    (_P.SUMMARIZING, e.VisitPrioritized): Transition(_P.SUMMARIZING),
    (_P.PENDING, e.VisitDelayed): Transition(_P.PENDING),
    (_P.TRANSCRIBING, e.VisitDelayed): Transition(_P.TRANSCRIBING),
    (_P.SUMMARIZING, e.VisitDelayed): Transition(_P.SUMMARIZING),
    # A visit was cancelled or expired without a recording: a later recording is processed.
    (_P.CANCELLED, e.AudioAccepted): _SUBMIT,
    (_P.FAILED, e.AudioAccepted): _SUBMIT,
    (_P.CANCELLED, e.AudioReplaced): _SUBMIT,
}

_SUBMISSION: Final = (
    e.SubmissionClaimed,
    e.SubmissionDeferred,
    e.SubmissionHeld,
    e.SubmissionQueued,
    e.AudioRejected,
    e.TranscriptionSubmitted,
)
_COLLECTION: Final = (
    e.TranscriptionPolled,
    e.TranscriptStored,
    e.TranscriptionFailed,
    e.TranscriptionRestarted,
    e.TranscriptionGivenUp,
)
_SUMMARY: Final = (
    e.SummaryRequested,
    e.SummaryClaimed,
    e.SummaryDeferred,
    e.SummaryHeld,
    e.ProvisionalSummaryStored,
    e.SummaryStored,
    e.SummaryFailed,
)
_RETRY: Final = (e.SubmissionRetried, e.SummaryRetried, e.ConsentGivenLate)
_TERMINAL: Final = (_P.COMPLETED, _P.FAILED, _P.CANCELLED)

LATE_OR_REPEATED: Final = frozenset(
    {
        *product(_P, (e.AudioRepeated,)),
        (_P.PENDING, e.TranscriptionPolled),
        *product((_P.TRANSCRIBING, _P.SUMMARIZING, *_TERMINAL), _SUBMISSION),
        *product((_P.SUMMARIZING, *_TERMINAL), _COLLECTION),
        *product(_TERMINAL, _SUMMARY),
        # A duplicate of a retry request: the work is in progress, or done.
        *product((_P.PENDING, _P.TRANSCRIBING, _P.SUMMARIZING, _P.COMPLETED, _P.CANCELLED), _RETRY),
        *product(set(_P) - {_P.COMPLETED}, (e.SummaryRegenerated,)),
        *product(_TERMINAL, (e.VisitCancelled, e.VisitExpired)),
        # A job that the visit no longer waits for is charged only after the end of the visit.
        *product(set(_P) - set(_TERMINAL), (e.JobCharged,)),
        *product(_TERMINAL, (e.VisitDelayed, e.VisitPrioritized)),
    }
)


@dataclass(frozen=True)
class Advance:
    """The visit after an event, and its `entry` in the history. A late event changes nothing.

    `withheld` means that a legal hold prevents the storing of the event's results.
    """

    visit: Visit
    changed: bool
    effects: tuple[Effect, ...] = ()
    entry: HistoryEntry | None = None
    withheld: bool = False


def advance(visit: Visit, event: e.Event, now: datetime) -> Advance:
    """Return the visit after `event` at `now`.

    Raises:
        IllegalTransition: the table has no such pair.
    """
    late = event.attempt is not None and event.attempt != visit.attempt
    if late or (visit.processing_status, type(event)) in LATE_OR_REPEATED:
        return Advance(visit, changed=False)
    permitted = under_hold(visit, event)
    withheld = type(permitted) is not type(event)
    event = in_view_of(visit, permitted)
    transition = TRANSITIONS.get((visit.processing_status, type(event)))
    if transition is None:
        raise IllegalTransition(visit.processing_status, type(event))
    effects = _effects_of(permitted, transition)
    after = visit.model_copy(update=event.changes(visit, now))
    after = after.model_copy(update=_settled(visit, after, event, transition.to, now))
    if not event.recorded:
        return Advance(after, True, effects, withheld=withheld)
    after = after.model_copy(update={"history_length": visit.history_length + 1})
    entry = HistoryEntry(
        position=visit.history_length,
        event=event.name,
        from_status=visit.processing_status,
        to_status=transition.to,
        attempt=after.attempt,
        at=now,
        detail=event.detail,
    )
    return Advance(after, True, effects, entry, withheld)


def audio_event(visit: Visit, audio: Audio) -> e.Event:
    """Return the event for the arrival of `audio`: a first, newer, further or duplicate recording.

    A newer generation of a path replaces the older generation; a new path is a further take.
    """
    known = generation_known(visit, audio.storage_path)
    if audio.generation <= known or not (known or has_room(visit)):
        return e.AudioRepeated(None)
    if visit.legal_hold:
        return e.TakeHeld(None, audio)
    if visit.audio is None:
        return e.AudioAccepted(None, audio)
    at_work = visit.processing_status in (_P.PENDING, _P.TRANSCRIBING)
    is_present = audio.storage_path == visit.audio.storage_path
    if at_work and not is_present:
        return e.TakeAdded(None, audio)
    return (e.AudioReplaced if known else e.TakeAccepted)(None, audio)


def under_hold(visit: Visit, event: e.Event) -> e.Event:
    """Return the event that applies instead of `event` if the visit is under legal hold.

    The returned event never replaces stored results; work on first results continues. A provisional
    summary is not shown, since the model's summary could not replace it.
    """
    if not visit.legal_hold:
        return event
    if isinstance(event, e.TakeAdded | e.AudioAccepted):
        return e.TakeHeld(None, event.audio)
    if isinstance(event, e.TranscriptStored) and takes_of(visit):
        seconds = event.transcript.duration_seconds or 0.0
        return e.HoldSet(None, charge=e.Charge(event.transcript_id, seconds))
    if isinstance(event, e.SummaryStored | e.ProvisionalSummaryStored) and visit.source is not None:
        return e.HoldSet(None, paid=event.paid)
    if isinstance(event, e.ProvisionalSummaryStored):
        return _waiting_for_model(event)
    if isinstance(event, e.SummaryStored) and visit.action_ids:
        # Items of a transcript that was replaced before the hold stay beside the new items.
        kept = dict.fromkeys((*visit.action_ids, *event.action_ids))
        return replace(event, action_ids=tuple(kept))
    return event


def _waiting_for_model(shown: e.ProvisionalSummaryStored) -> e.Event:
    attempt, until, paid = shown.attempt, shown.until, shown.paid
    if shown.used_a_try:
        code = ErrorCode.SUMMARY_UNAVAILABLE
        return e.SummaryDeferred(attempt, until, code, paid=paid)
    return e.SummaryHeld(attempt, until, paid=paid, for_fault=shown.for_fault)


def _held_now(visit: Visit, held: e.HoldSet) -> e.Event:
    """Return the event of a new legal hold, which stops work that would replace stored results."""
    at_work = visit.processing_status in (_P.PENDING, _P.TRANSCRIBING)
    if at_work and visit.audio is not None and takes_of(visit):
        stopped = e.TranscriptKeptByHold if visit.source is None else e.TakeStoppedByHold
        return stopped(**vars(held))
    if visit.processing_status is _P.SUMMARIZING and visit.source is not None:
        return e.SummaryStoppedByHold(**vars(held))
    return held


def in_view_of(visit: Visit, event: e.Event) -> e.Event:
    """Return the event that applies instead of `event` if the visit has several files.

    A file without a transcript is noted with its code; then the next file begins, or the visit
    returns to its earlier status. Missing consent still fails the whole visit. After a retryable
    failure the visit waits for a retry, while stored results stay shown.
    """
    if type(event) is e.HoldSet:
        return _held_now(visit, event)
    at_work = visit.processing_status in (_P.PENDING, _P.TRANSCRIBING)
    if not at_work or visit.audio is None or isinstance(event, e.MEANT):
        return event
    if isinstance(event, e.TranscriptStored) and visit.waiting_takes:
        return e.TakeTranscribed(**vars(event))
    kept = visit.kept if takes_of(visit) else None
    if isinstance(event, e.VisitCancelled) and kept is _P.COMPLETED:
        return e.ResultsKept(event.attempt, ErrorCode.CANCELLED)
    if not isinstance(event, e.AudioRejected) or event.code is ErrorCode.CONSENT_MISSING:
        return event
    if visit.waiting_takes:
        return e.TakeRefused(event.attempt, event.code, event.given_up, event.charge)
    if kept is _P.COMPLETED and not event.code.retryable:
        return e.ResultsKept(event.attempt, event.code, event.given_up, event.charge)
    if kept is _P.SUMMARIZING:
        return e.TranscriptKept(event.attempt, event.code, event.given_up, event.charge)
    return event


def _effects_of(event: e.Event, transition: Transition) -> tuple[Effect, ...]:
    """Return the effects of `event`; a cancelled or expired visit keeps the permit of its job."""
    if not isinstance(event, e.VisitCancelled | e.VisitExpired):
        return transition.effects
    return tuple(each for each in transition.effects if each is not Effect.RELEASE_PERMIT)


def retry_event(visit: Visit) -> e.Event:
    """Return the event that retries the failed stage; a stored transcript is not ordered again."""
    if visit.transcription is not None and visit.transcription.completed_at is not None:
        return e.SummaryRetried(visit.attempt)
    return e.SubmissionRetried(visit.attempt)


def _settled(
    before: Visit, after: Visit, event: e.Event, to: ProcessingStatus, now: datetime
) -> e.Changes:
    """Return the fields that every event sets in the same way from the new status."""
    settled: e.Changes = {"processing_status": to, "status": _status(to, after), "updated_at": now}
    if event.step is not None:
        audio_s = after.audio.duration_seconds if after.audio else None
        percent = PERCENT[event.step]
        if after.attempt == before.attempt:
            # Within one attempt the percentage never falls.
            percent = max(percent, before.progress_percent)
        settled |= {
            "current_step": event.step,
            "progress_percent": percent,
            "estimated_seconds_remaining": seconds_remaining(event.step, 0.0, audio_s),
        }
    if to is not _P.PENDING or after.attempt != before.attempt:
        settled["turn"] = None
    if to.is_terminal:
        settled |= {"wake_at": None, "lease": None, "estimated_seconds_remaining": 0}
        if after.timings is not None and not before.processing_status.is_terminal:
            settled["timings"] = after.timings.ended_at(now)
    settled |= _delay(after, to, now)
    if not to.is_terminal and after.wake_at is None and after.audio is not None:
        raise AssertionError(f"{type(event).__name__} left a running visit without wake_at")
    return settled


def _delay(after: Visit, to: ProcessingStatus, now: datetime) -> e.Changes:
    """Return the fields for the delay that clients see.

    If no event follows, `pipeline/recover.py` notes the delay.
    """
    began_at = after.timings.processing_started_at if after.timings else None
    if began_at is None or to.is_terminal:
        return {"taking_longer_than_expected": False, "overdue_at": None}
    is_late = now - began_at >= LONG
    overdue_at = None if is_late else began_at + LONG
    return {"taking_longer_than_expected": is_late, "overdue_at": overdue_at}


def _status(to: ProcessingStatus, after: Visit) -> Status:
    match to:
        case _P.COMPLETED:
            return Status.COMPLETED
        case _P.CANCELLED:
            return Status.CANCELLED
        case _P.FAILED:
            if after.processing_error and after.processing_error.code is ErrorCode.EXPIRED:
                return Status.EXPIRED
            if after.source is not None and not after.provisional:
                return Status.COMPLETED  # a new summary was requested; the earlier summary stays
            if after.kept is _P.COMPLETED:
                return Status.COMPLETED  # a file was added; the earlier results stay
            return Status.PARTIAL if after.has_transcript else Status.FAILED
        case _:
            return Status.PROCESSING
