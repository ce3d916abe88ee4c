"""The life of a visit as one explicit table, without any I/O, clock or randomness.

    TRANSITIONS:      (processingStatus, event) -> (processingStatus, effects)
    LATE_OR_REPEATED: the pairs that at-least-once delivery makes ordinary; nothing changes
    every other pair: IllegalTransition

Two invariants hold after every `advance`: a visit that is not terminal has a `wake_at`, so that the
scheduled function looks at it again whatever else is lost; a terminal one has none.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import product
from typing import Final

from lumimd import events as e
from lumimd.audio import Audio
from lumimd.progress import PERCENT, seconds_remaining
from lumimd.records import HistoryEntry, ProcessingStatus, Status, Visit

_P = ProcessingStatus


class Effect(StrEnum):
    """What is to be done once the new state is saved. It may get lost: `wake_at` brings it back."""

    SUBMIT_AUDIO = "submit_audio"
    REQUEST_SUMMARY = "request_summary"


@dataclass(frozen=True)
class Transition:
    """Where an event leads, and what is to be done then."""

    to: ProcessingStatus
    effects: tuple[Effect, ...] = ()


class IllegalTransition(Exception):
    """The event cannot happen in this status: a bug."""

    def __init__(self, status: ProcessingStatus, event: type[e.Event]) -> None:
        super().__init__(f"{event.__name__} while {status}")


_SUBMIT: Final = Transition(_P.PENDING, (Effect.SUBMIT_AUDIO,))
_STORED: Final = Transition(_P.SUMMARIZING, (Effect.REQUEST_SUMMARY,))
_FAILED: Final = Transition(_P.FAILED)
_CANCELLED: Final = Transition(_P.CANCELLED)

TRANSITIONS: Final[Mapping[tuple[ProcessingStatus, type[e.Event]], Transition]] = {
    (_P.PENDING, e.AudioAccepted): _SUBMIT,
    (_P.PENDING, e.AudioReplaced): _SUBMIT,
    (_P.PENDING, e.SubmissionClaimed): Transition(_P.PENDING),
    (_P.PENDING, e.SubmissionDeferred): Transition(_P.PENDING),
    (_P.PENDING, e.SubmissionHeld): Transition(_P.PENDING),
    (_P.PENDING, e.AudioRejected): _FAILED,
    (_P.PENDING, e.TranscriptionSubmitted): Transition(_P.TRANSCRIBING),
    # The provider was quicker than our own write of the job's id.
    (_P.PENDING, e.TranscriptStored): _STORED,
    (_P.PENDING, e.TranscriptionFailed): _FAILED,
    (_P.PENDING, e.TranscriptionRestarted): Transition(_P.PENDING),
    (_P.PENDING, e.VisitCancelled): _CANCELLED,
    (_P.TRANSCRIBING, e.AudioReplaced): _SUBMIT,
    (_P.TRANSCRIBING, e.TranscriptionPolled): Transition(_P.TRANSCRIBING),
    (_P.TRANSCRIBING, e.TranscriptStored): _STORED,
    (_P.TRANSCRIBING, e.TranscriptionFailed): _FAILED,
    (_P.TRANSCRIBING, e.TranscriptionRestarted): Transition(_P.PENDING),
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
    (_P.FAILED, e.AudioReplaced): _SUBMIT,
    (_P.FAILED, e.SubmissionRetried): _SUBMIT,
    (_P.FAILED, e.SummaryRetried): _STORED,
    # Cancelled before there was a recording: whoever records after that wants it processed.
    (_P.CANCELLED, e.AudioAccepted): _SUBMIT,
    (_P.CANCELLED, e.AudioReplaced): _SUBMIT,
}

_SUBMISSION: Final = (
    e.SubmissionClaimed,
    e.SubmissionDeferred,
    e.SubmissionHeld,
    e.AudioRejected,
    e.TranscriptionSubmitted,
)
_COLLECTION: Final = (
    e.TranscriptionPolled,
    e.TranscriptStored,
    e.TranscriptionFailed,
    e.TranscriptionRestarted,
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
_RETRY: Final = (e.SubmissionRetried, e.SummaryRetried)
_TERMINAL: Final = (_P.COMPLETED, _P.FAILED, _P.CANCELLED)

LATE_OR_REPEATED: Final = frozenset(
    {
        *product(_P, (e.AudioRepeated,)),
        (_P.PENDING, e.TranscriptionPolled),
        *product((_P.TRANSCRIBING, _P.SUMMARIZING, *_TERMINAL), _SUBMISSION),
        *product((_P.SUMMARIZING, *_TERMINAL), _COLLECTION),
        *product(_TERMINAL, _SUMMARY),
        # A second click: the work is under way, or done.
        *product((_P.PENDING, _P.TRANSCRIBING, _P.SUMMARIZING, _P.COMPLETED, _P.CANCELLED), _RETRY),
        *product(_TERMINAL, (e.VisitCancelled,)),
    }
)


@dataclass(frozen=True)
class Advance:
    """The visit after an event; `entry` is its line in the history. Late: nothing changed."""

    visit: Visit
    changed: bool
    effects: tuple[Effect, ...] = ()
    entry: HistoryEntry | None = None


def advance(visit: Visit, event: e.Event, now: datetime) -> Advance:
    """What `event` makes of `visit` at `now`.

    Raises:
        IllegalTransition: the table has no such pair.
    """
    late = event.attempt is not None and event.attempt != visit.attempt
    if late or (visit.processing_status, type(event)) in LATE_OR_REPEATED:
        return Advance(visit, changed=False)
    transition = TRANSITIONS.get((visit.processing_status, type(event)))
    if transition is None:
        raise IllegalTransition(visit.processing_status, type(event))
    after = visit.model_copy(update=event.changes(visit, now))
    after = after.model_copy(update=_settled(visit, after, event, transition.to, now))
    if not event.recorded:
        return Advance(after, True, transition.effects)
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
    return Advance(after, True, transition.effects, entry)


def audio_event(visit: Visit, audio: Audio) -> e.Event:
    """What the arrival of `audio` means to `visit`: a first recording, a newer one, or nothing."""
    if visit.audio is None:
        return e.AudioAccepted(None, audio)
    if audio.generation > visit.audio.generation:
        return e.AudioReplaced(None, audio)
    return e.AudioRepeated(None)


def retry_event(visit: Visit) -> e.Event:
    """Another attempt, from the stage that failed: a stored transcript is not made again."""
    if visit.transcription is not None and visit.transcription.completed_at is not None:
        return e.SummaryRetried(visit.attempt)
    return e.SubmissionRetried(visit.attempt)


def _settled(
    before: Visit, after: Visit, event: e.Event, to: ProcessingStatus, now: datetime
) -> e.Changes:
    """The fields that follow from the status and hold for every event alike."""
    settled: e.Changes = {"processing_status": to, "status": _status(to, after), "updated_at": now}
    if event.step is not None:
        audio_s = after.audio.duration_seconds if after.audio else None
        percent = PERCENT[event.step]
        if after.attempt == before.attempt:
            # Within one attempt a reader never sees the percentage fall.
            percent = max(percent, before.progress_percent)
        settled |= {
            "current_step": event.step,
            "progress_percent": percent,
            "estimated_seconds_remaining": seconds_remaining(event.step, 0.0, audio_s),
        }
    if to.is_terminal:
        settled |= {"wake_at": None, "claim": None, "estimated_seconds_remaining": 0}
        if after.timings is not None:
            settled["timings"] = after.timings.ended_at(now)
    elif after.wake_at is None:
        raise AssertionError(f"{type(event).__name__} left a running visit without wake_at")
    return settled


def _status(to: ProcessingStatus, after: Visit) -> Status:
    match to:
        case _P.COMPLETED:
            return Status.COMPLETED
        case _P.CANCELLED:
            return Status.CANCELLED
        case _P.FAILED:
            transcript_is_safe = after.transcription and after.transcription.completed_at
            return Status.PARTIAL if transcript_is_safe else Status.FAILED
        case _:
            return Status.PROCESSING
