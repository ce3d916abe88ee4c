"""What the owner of a visit, or an operator, wants; and what becomes of a visit nobody finishes."""

from dataclasses import dataclass
from datetime import datetime

from lumimd.domain.errors import ErrorCode
from lumimd.domain.events.event import Changes, Event
from lumimd.domain.events.submission import AudioRejected
from lumimd.domain.progress import Step
from lumimd.domain.timing import REQUEST_GRACE
from lumimd.domain.visit import Consent, Timings, Visit


@dataclass(frozen=True)
class SubmissionRetried(Event):
    """Somebody asks for another attempt, and there is no transcript yet."""

    step = Step.AUDIO_RECEIVED

    def changes(self, visit: Visit, now: datetime) -> Changes:
        return {**_begun_again(visit, now), **_counted(visit), **_submitted_again(now)}


@dataclass(frozen=True)
class SummaryRetried(Event):
    """Somebody asks for another attempt at the summary; the transcript is there and stays."""

    step = Step.TRANSCRIPT_READY

    def changes(self, visit: Visit, now: datetime) -> Changes:
        return {**_summarized_again(visit, now), **_counted(visit)}


@dataclass(frozen=True)
class SummaryRegenerated(SummaryRetried):
    """Somebody wants another summary of a visit that has one; that one stays until then."""

    def changes(self, visit: Visit, now: datetime) -> Changes:
        return _summarized_again(visit, now)


@dataclass(frozen=True)
class VisitCancelled(Event):
    """The owner does not want the visit processed any further."""

    def changes(self, visit: Visit, now: datetime) -> Changes:
        return {}


@dataclass(frozen=True)
class VisitExpired(AudioRejected):
    """Nobody has uploaded the recording, or nobody could finish the visit, for days."""

    code: ErrorCode = ErrorCode.EXPIRED


@dataclass(frozen=True)
class ConsentGiven(Event):
    """The patient agrees to the processing of the recording, wherever it stands."""

    def changes(self, visit: Visit, now: datetime) -> Changes:
        return {"consent": visit.consent or Consent(given_at=now)}


@dataclass(frozen=True)
class ConsentGivenLate(SubmissionRetried):
    """The patient agrees after the recording was refused for want of it: now it is processed."""

    def changes(self, visit: Visit, now: datetime) -> Changes:
        return {
            **_begun_again(visit, now),
            **_submitted_again(now),
            "consent": visit.consent or Consent(given_at=now),
        }


@dataclass(frozen=True)
class VisitEdited(Event):
    """The owner changed `fields` of the visit that are the owner's; the work goes on as it was."""

    recorded = False
    fields: Changes

    def changes(self, visit: Visit, now: datetime) -> Changes:
        return self.fields


@dataclass(frozen=True)
class VisitDelayed(Event):
    """The visit takes longer than expected; the work goes on as it was."""

    recorded = False

    def changes(self, visit: Visit, now: datetime) -> Changes:
        return {}


@dataclass(frozen=True)
class VisitPrioritized(Event):
    """The visit overtakes others from now on, or does so no longer.

    In line it gives up its turn and asks for one in its new lane, at once.
    """

    urgent: bool

    @property
    def detail(self) -> str:
        return "urgent" if self.urgent else "ordinary"

    def changes(self, visit: Visit, now: datetime) -> Changes:
        if visit.turn is None or visit.urgent is self.urgent:
            return {"urgent": self.urgent}
        return {"urgent": self.urgent, "turn": None, "wake_at": now}


def _submitted_again(now: datetime) -> Changes:
    return {"wake_at": now, "transcription": None}


def _summarized_again(visit: Visit, now: datetime) -> Changes:
    return {
        **_begun_again(visit, now),
        "wake_at": now + REQUEST_GRACE,
        "requests": 1,
        "unanswered_requests": 0,
    }


def _counted(visit: Visit) -> Changes:
    """Of attempts at what failed alone: another summary and a late consent are no retries."""
    return {"retry_count": visit.retry_count + 1}


def _begun_again(visit: Visit, now: datetime) -> Changes:
    return {
        "attempt": visit.attempt + 1,
        "stage_tries": 0,
        "restarts": 0,
        "lease": None,
        "trouble": None,
        "held_since": None,
        "queued_at": None,
        "expired_leases": 0,
        "processing_error": None,
        "last_retry_at": now,
        "timings": Timings(processing_started_at=now),
    }
