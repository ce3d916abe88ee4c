"""Requests of the owner or an operator, and the expiry of unfinished visits."""

from dataclasses import dataclass
from datetime import datetime

from lumimd.domain.codes import ErrorCode
from lumimd.domain.events.event import Changes, Event
from lumimd.domain.events.submission import AudioRejected
from lumimd.domain.progress import Step
from lumimd.domain.timing import REQUEST_GRACE
from lumimd.domain.visit import Consent, Timings, Visit


@dataclass(frozen=True)
class SubmissionRetried(Event):
    """The owner or an operator retries a visit that has no transcript yet."""

    step = Step.AUDIO_RECEIVED

    def changes(self, visit: Visit, now: datetime) -> Changes:
        return {**_begun_again(visit, now), **_counted(visit), **_submitted_again(now)}


@dataclass(frozen=True)
class SummaryRetried(Event):
    """The owner or an operator retries the summary of a visit; the transcript stays."""

    step = Step.TRANSCRIPT_READY

    def changes(self, visit: Visit, now: datetime) -> Changes:
        return {**_summarized_again(visit, now), **_counted(visit)}


@dataclass(frozen=True)
class SummaryRegenerated(SummaryRetried):
    """The owner or an operator requests a new summary, which later replaces the present summary."""

    def changes(self, visit: Visit, now: datetime) -> Changes:
        return _summarized_again(visit, now)


@dataclass(frozen=True)
class VisitCancelled(Event):
    """The owner cancels the processing of the visit."""

    def changes(self, visit: Visit, now: datetime) -> Changes:
        return {}


@dataclass(frozen=True)
class VisitExpired(AudioRejected):
    """The visit expires: for days no recording was uploaded, or the visit could not be finished."""

    code: ErrorCode = ErrorCode.EXPIRED


@dataclass(frozen=True)
class ConsentGiven(Event):
    """The patient agrees to the processing of the recording; this may happen in any status."""

    def changes(self, visit: Visit, now: datetime) -> Changes:
        return {"consent": visit.consent or Consent(given_at=now)}


@dataclass(frozen=True)
class ConsentGivenLate(SubmissionRetried):
    """The patient agrees after a refusal for missing consent, so that the work begins."""

    def changes(self, visit: Visit, now: datetime) -> Changes:
        return {
            **_begun_again(visit, now),
            **_submitted_again(now),
            "consent": visit.consent or Consent(given_at=now),
        }


@dataclass(frozen=True)
class VisitEdited(Event):
    """The owner changed `fields` of the visit; the processing does not change."""

    recorded = False
    fields: Changes

    def changes(self, visit: Visit, now: datetime) -> Changes:
        return self.fields


@dataclass(frozen=True)
class VisitDelayed(Event):
    """The visit takes longer than expected; the processing does not change."""

    recorded = False

    def changes(self, visit: Visit, now: datetime) -> Changes:
        return {}


@dataclass(frozen=True)
class VisitPrioritized(Event):
    """The visit becomes urgent and overtakes ordinary visits, or becomes ordinary again.

    A queued visit gives up its turn and immediately asks for a turn in its new priority.
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
    """Return the fields that count a retry of failed work.

    A new summary and a late consent do not count as retries.
    """
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
