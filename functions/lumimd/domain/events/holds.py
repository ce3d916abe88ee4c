"""Events of a legal hold: an operator sets the hold, new recordings wait, the operator ends it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from lumimd.domain import ledger
from lumimd.domain.audio import Audio
from lumimd.domain.events.event import Changes, Charge, Event
from lumimd.domain.events.owner import SummaryRetried
from lumimd.domain.events.submission import with_given_up
from lumimd.domain.ledger import NOTHING, Settlement
from lumimd.domain.progress import Step
from lumimd.domain.takes import in_turn, takes_of
from lumimd.domain.timing import REQUEST_GRACE
from lumimd.domain.visit import ProcessingStatus, Timings, Visit


@dataclass(frozen=True)
class HoldSet(Event):
    """An operator sets a legal hold. Work on first results continues; waiting files are held.

    The event also stands in for results that the hold does not let the visit store. Then it only
    puts the cost of these results on the ledger.
    """

    paid: Settlement = NOTHING
    charge: Charge | None = None

    def changes(self, visit: Visit, now: datetime) -> Changes:
        pending, transcribing = ProcessingStatus.PENDING, ProcessingStatus.TRANSCRIBING
        at_work = visit.processing_status in (pending, transcribing)
        waiting = visit.waiting_takes if at_work else ()
        return {
            "legal_hold": True,
            "waiting_takes": () if at_work else visit.waiting_takes,
            "held_takes": beside(visit, *waiting),
            # Under legal hold, a visit that waits for its recording does not expire.
            "wake_at": visit.wake_at if visit.audio else None,
            "ledger": ledger.settled(visit, self.paid),
            **(self.charge.changes(visit) if self.charge else {}),
        }


@dataclass(frozen=True)
class TakeStoppedByHold(HoldSet):
    """A legal hold stops work on the present file, because stored results would be replaced."""

    step = Step.COMPLETED

    def changes(self, visit: Visit, now: datetime) -> Changes:
        return {
            **super().changes(visit, now),
            **_without_present_file(visit),
            "summary_owed": visit.summary_owed or not visit.is_summarized,
            "kept": None if visit.kept is ProcessingStatus.COMPLETED else visit.kept,
        }


@dataclass(frozen=True)
class TranscriptKeptByHold(HoldSet):
    """A legal hold stops work on the present file; the stored transcript still gets a summary."""

    step = Step.TRANSCRIPT_READY

    def changes(self, visit: Visit, now: datetime) -> Changes:
        return {
            **super().changes(visit, now),
            **_without_present_file(visit),
            "requests": 1,
            "unanswered_requests": 0,
            "timings": Timings(processing_started_at=now),
            "wake_at": now + REQUEST_GRACE,
        }


@dataclass(frozen=True)
class SummaryStoppedByHold(HoldSet):
    """A legal hold postpones the summary in progress, because it would replace a stored summary."""

    step = Step.COMPLETED

    def changes(self, visit: Visit, now: datetime) -> Changes:
        return {
            **super().changes(visit, now),
            **_stopped(visit),
            "summary_owed": True,
        }


STOPPED_BY_HOLD: Final = (TakeStoppedByHold, TranscriptKeptByHold, SummaryStoppedByHold)
"""Events that replace `HoldSet` if the legal hold stops work (`state_machine.in_view_of`)."""


@dataclass(frozen=True)
class TakeHeld(Event):
    """A recording arrived while the visit is under legal hold, and waits until the release."""

    audio: Audio

    def changes(self, visit: Visit, now: datetime) -> Changes:
        return {"held_takes": beside(visit, self.audio)}


@dataclass(frozen=True)
class HoldReleased(Event):
    """An operator ended the legal hold: the visit may change again, and postponed work follows."""

    def changes(self, visit: Visit, now: datetime) -> Changes:
        waits = visit.audio is None and not visit.processing_status.is_terminal
        return {
            "legal_hold": False,
            "held_takes": (),
            "summary_owed": False,
            "wake_at": now if waits else visit.wake_at,
        }


@dataclass(frozen=True)
class SummaryResumed(SummaryRetried):
    """The summary that the legal hold postponed is made now; it does not count as a retry."""

    def changes(self, visit: Visit, now: datetime) -> Changes:
        asked = {"retry_count": visit.retry_count, "last_retry_at": visit.last_retry_at}
        return {**super().changes(visit, now), **asked}


def beside(visit: Visit, *files: Audio) -> tuple[Audio, ...]:
    """Return the held files of the visit and `files`, in the order of their upload."""
    held = visit.held_takes
    for file in files:
        held = in_turn(held, file)
    return held


def _without_present_file(visit: Visit) -> Changes:
    """Return the fields that take the visit back to the state before its present file.

    The present file and the waiting files are held. The job of the present file stays known, so
    that its transcript is adopted after the release and is not paid twice.
    """
    assert visit.audio is not None
    last = takes_of(visit)[-1]
    return {
        **_stopped(visit),
        "held_takes": beside(visit, visit.audio, *visit.waiting_takes),
        "audio": last.audio,
        "audio_url": last.audio.url,
        "transcription": last.transcription,
        "given_up_jobs": with_given_up(visit),
    }


def _stopped(visit: Visit) -> Changes:
    """Return the fields of a new attempt, so that late results of the stopped work are refused."""
    return {
        "attempt": visit.attempt + 1,
        "processing_error": None,
        "stage_tries": 0,
        "expired_leases": 0,
        "lease": None,
        "trouble": None,
        "held_since": None,
    }
