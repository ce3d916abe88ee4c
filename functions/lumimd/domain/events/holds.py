"""Legal hold: an operator sets it, recordings wait beside the visit, and an operator ends it."""

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
    """An operator protects the visit. Work on first results goes on; waiting files are held.

    The event also replaces results that a hold withholds: it puts their cost on the ledger.
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
            # A visit that waits for its recording does not expire.
            "wake_at": visit.wake_at if visit.audio else None,
            "ledger": ledger.settled(visit, self.paid),
            **(self.charge.changes(visit) if self.charge else {}),
        }


@dataclass(frozen=True)
class TakeStoppedByHold(HoldSet):
    """The present file would replace stored results: it is held, and the results stay."""

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
    """The present file is held; the stored transcript has no summary yet, and gets one."""

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
    """The summary in progress would replace a stored one: it is made after the release."""

    step = Step.COMPLETED

    def changes(self, visit: Visit, now: datetime) -> Changes:
        return {
            **super().changes(visit, now),
            **_stopped(visit),
            "summary_owed": True,
        }


STOPPED_BY_HOLD: Final = (TakeStoppedByHold, TranscriptKeptByHold, SummaryStoppedByHold)
"""Events that replace `HoldSet` where it stops work (`state_machine.in_view_of`)."""


@dataclass(frozen=True)
class TakeHeld(Event):
    """A recording arrived while the visit is under hold: it waits until the release."""

    audio: Audio

    def changes(self, visit: Visit, now: datetime) -> Changes:
        return {"held_takes": beside(visit, self.audio)}


@dataclass(frozen=True)
class HoldReleased(Event):
    """The visit may be changed and deleted again; postponed work follows."""

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
    """The summary that the hold postponed is made now; it does not count as a retry."""

    def changes(self, visit: Visit, now: datetime) -> Changes:
        asked = {"retry_count": visit.retry_count, "last_retry_at": visit.last_retry_at}
        return {**super().changes(visit, now), **asked}


def beside(visit: Visit, *files: Audio) -> tuple[Audio, ...]:
    """The held files of the visit and `files`, in the order of their upload."""
    held = visit.held_takes
    for file in files:
        held = in_turn(held, file)
    return held


def _without_present_file(visit: Visit) -> Changes:
    """The visit before its present file, which is held together with the waiting files.

    Its job stays known: after the release its transcript is adopted, and not paid again.
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
    """A new attempt, so that late results of the stopped work are refused."""
    return {
        "attempt": visit.attempt + 1,
        "processing_error": None,
        "stage_tries": 0,
        "expired_leases": 0,
        "lease": None,
        "trouble": None,
        "held_since": None,
    }
