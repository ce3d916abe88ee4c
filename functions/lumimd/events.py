"""What has happened to a visit: past tense, one frozen value an event.

Each event knows which fields it sets (`changes`); which status follows, and whether the event is
still news, is the table's business (`visit.py`). `recorded` events appear in the history.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

from lumimd.audio import Audio
from lumimd.clinical import Source, VisitSummary
from lumimd.errors import ErrorCode
from lumimd.progress import Step, seconds_remaining, transcribing_percent
from lumimd.records import (
    Claim,
    Consent,
    ProcessingError,
    Stage,
    Timings,
    Transcription,
    Trouble,
    Visit,
)
from lumimd.transcript import Transcript

Changes = dict[str, Any]

POLL_EVERY: Final = timedelta(seconds=45)
"""Less than the scheduler's minute, so that each of its ticks asks about each running job."""

REQUEST_GRACE: Final = timedelta(minutes=2)
"""How long a created task may take to start before it counts as lost."""

_NO_RESULTS: Final[Changes] = {
    "transcription": None,
    "source": None,
    "provisional": False,
    "summary": None,
    "summary_statements": (),
    "diagnoses": (),
    "medications": None,
    "imaging": (),
    "next_steps": (),
    "education": (),
}


@dataclass(frozen=True)
class Event:
    """Something that happened in `attempt`; None where the attempt has no say."""

    name: ClassVar[str]
    recorded: ClassVar[bool] = True
    step: ClassVar[Step | None] = None
    attempt: int | None

    def __init_subclass__(cls) -> None:
        """`TranscriptStored` is stored and drawn as `transcript_stored`."""
        cls.name = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()

    @property
    def detail(self) -> str | None:
        """A code for the history."""
        return None

    def changes(self, visit: Visit, now: datetime) -> Changes:
        """The fields that this event sets. Non-terminal events always set `wake_at`."""
        raise NotImplementedError


@dataclass(frozen=True)
class AudioAccepted(Event):
    """The first recording of the visit has arrived."""

    step = Step.AUDIO_RECEIVED
    audio: Audio

    def changes(self, visit: Visit, now: datetime) -> Changes:
        return {
            "audio": self.audio,
            "audio_url": self.audio.url,
            "audio_erased_at": None,
            "processing_error": None,
            "wake_at": now,
            "timings": Timings(processing_started_at=now),
        }


@dataclass(frozen=True)
class AudioReplaced(AudioAccepted):
    """A newer generation of the recording has arrived: everything starts over."""

    def changes(self, visit: Visit, now: datetime) -> Changes:
        return {
            **super().changes(visit, now),
            **_NO_RESULTS,
            "attempt": visit.attempt + 1,
            "stage_tries": 0,
            "orders": 0,
            "restarts": 0,
            "requests": 0,
            "claim": None,
            "trouble": None,
            "held_since": None,
            "processing_error": None,
        }


@dataclass(frozen=True)
class AudioRepeated(Event):
    """An event for a generation that the visit already has, or for an older one."""


@dataclass(frozen=True)
class SubmissionClaimed(Event):
    """Somebody is about to check the recording and to pay for its transcription."""

    step = Step.SUBMITTING
    claim: Claim

    def changes(self, visit: Visit, now: datetime) -> Changes:
        return {**_claimed(visit, self.claim), "orders": visit.orders + 1, "turn": None}


@dataclass(frozen=True)
class SubmissionDeferred(Event):
    """The submission did not work out, or nobody knows; look again at `until`."""

    until: datetime
    code: ErrorCode
    used_a_try: bool = True

    @property
    def detail(self) -> str:
        return self.code

    def changes(self, visit: Visit, now: datetime) -> Changes:
        return {
            "claim": _nobodys_before(self.until),
            "wake_at": self.until,
            "stage_tries": visit.stage_tries - (0 if self.used_a_try else 1),
            "trouble": _trouble(visit, self.code, now),
        }


@dataclass(frozen=True)
class SubmissionHeld(Event):
    """The provider is known to be down, or the work switched off: no try is used up.

    `had_claimed` as if for one. Who was in line leaves it.
    """

    recorded = False
    until: datetime
    had_claimed: bool = True

    def changes(self, visit: Visit, now: datetime) -> Changes:
        return {
            "claim": _nobodys_before(self.until),
            "wake_at": self.until,
            "held_since": visit.held_since or now,
            "turn": None,
            "stage_tries": visit.stage_tries - (1 if self.had_claimed else 0),
        }


@dataclass(frozen=True)
class SubmissionQueued(Event):
    """There is no place at the provider: nobody was asked, and no try is used up.

    `turn` is the visit's turn in the line; without one its user is over the quota until `until`.
    `had_claimed` as if for one.
    """

    step = Step.QUEUED
    turn: int | None
    until: datetime
    had_claimed: bool = True

    @property
    def detail(self) -> str:
        return "over_quota" if self.turn is None else "in_line"

    def changes(self, visit: Visit, now: datetime) -> Changes:
        used = 1 if self.had_claimed else 0
        return {
            "turn": self.turn,
            "queued_at": visit.queued_at or (None if self.turn is None else now),
            "claim": None,
            "wake_at": self.until,
            "stage_tries": visit.stage_tries - used,
            "orders": visit.orders - used,
        }


@dataclass(frozen=True)
class AudioRejected(Event):
    """The recording cannot be transcribed."""

    code: ErrorCode
    stage: ClassVar[Stage] = Stage.SUBMISSION

    @property
    def detail(self) -> str:
        return self.code

    def changes(self, visit: Visit, now: datetime) -> Changes:
        return {"processing_error": ProcessingError.of(self.code, self.stage)}


@dataclass(frozen=True)
class TranscriptionSubmitted(Event):
    """The provider has the job."""

    step = Step.TRANSCRIBING
    provider: str
    transcript_id: str
    audio: Audio

    def changes(self, visit: Visit, now: datetime) -> Changes:
        return {
            "audio": self.audio,
            "transcription": Transcription(
                provider=self.provider, transcript_id=self.transcript_id, submitted_at=now
            ),
            "stage_tries": 0,
            "trouble": None,
            "held_since": None,
            "ledger": visit.ledger.model_copy(update={"orders": visit.ledger.orders + 1}),
            "claim": None,
            "wake_at": now + POLL_EVERY,
        }


@dataclass(frozen=True)
class TranscriptionPolled(Event):
    """The provider was asked and is not ready, or did not answer; ask again at `next_poll_at`."""

    recorded = False
    next_poll_at: datetime
    code: ErrorCode | None = None

    def changes(self, visit: Visit, now: datetime) -> Changes:
        assert visit.transcription is not None  # the table allows this event only after submission
        elapsed_s = (now - visit.transcription.submitted_at).total_seconds()
        audio_s = visit.audio.duration_seconds if visit.audio else None
        return {
            "wake_at": self.next_poll_at,
            "trouble": _trouble(visit, self.code, now) if self.code else None,
            "progress_percent": max(
                visit.progress_percent, transcribing_percent(elapsed_s, audio_s)
            ),
            "estimated_seconds_remaining": seconds_remaining(Step.TRANSCRIBING, elapsed_s, audio_s),
        }


@dataclass(frozen=True)
class TranscriptStored(Event):
    """The transcript is committed together with this event."""

    step = Step.TRANSCRIPT_READY
    provider: str
    transcript_id: str
    transcript: Transcript
    pages: int

    def changes(self, visit: Visit, now: datetime) -> Changes:
        submitted_at = visit.transcription.submitted_at if visit.transcription else now
        heard_s = visit.ledger.audio_seconds + (self.transcript.duration_seconds or 0.0)
        return {
            "ledger": visit.ledger.model_copy(update={"audio_seconds": heard_s}),
            "transcription": Transcription(
                provider=self.provider,
                transcript_id=self.transcript_id,
                submitted_at=submitted_at,
                completed_at=now,
                language_code=self.transcript.language_code,
                confidence=self.transcript.confidence,
                pages=self.pages,
            ),
            "transcript_pages": self.pages,
            "stage_tries": 0,
            "trouble": None,
            "held_since": None,
            "requests": 1,
            "claim": None,
            "wake_at": now + REQUEST_GRACE,
        }


@dataclass(frozen=True)
class TranscriptionFailed(AudioRejected):
    """The provider refused the recording for good, or was away for too long."""

    stage = Stage.TRANSCRIPTION


@dataclass(frozen=True)
class TranscriptionRestarted(Event):
    """The provider lost the job through no fault of the recording; such a job is not charged."""

    step = Step.AUDIO_RECEIVED
    until: datetime

    def changes(self, visit: Visit, now: datetime) -> Changes:
        return {
            "transcription": None,
            "attempt": visit.attempt + 1,
            "stage_tries": 0,
            "restarts": visit.restarts + 1,
            "claim": None,
            "wake_at": self.until,
        }


@dataclass(frozen=True)
class SummaryRequested(Event):
    """The task that was to summarize seems lost; another one is created."""

    def changes(self, visit: Visit, now: datetime) -> Changes:
        return {"requests": visit.requests + 1, "claim": None, "wake_at": now + REQUEST_GRACE}


@dataclass(frozen=True)
class SummaryClaimed(Event):
    """Somebody is about to pay for the summary."""

    step = Step.SUMMARIZING
    claim: Claim

    def changes(self, visit: Visit, now: datetime) -> Changes:
        return _claimed(visit, self.claim)


@dataclass(frozen=True)
class SummaryDeferred(SubmissionDeferred):
    """The summary did not work out; try again at `until`."""


@dataclass(frozen=True)
class SummaryHeld(SubmissionHeld):
    """The model is known to be down: no try is used up."""


@dataclass(frozen=True)
class ProvisionalSummaryStored(Event):
    """The model stays away: a summary by rules is shown until it can be replaced, at `until`."""

    step = Step.PROVISIONAL
    until: datetime
    source: Source
    summary: VisitSummary
    used_a_try: bool

    @property
    def detail(self) -> str:
        return self.source

    def changes(self, visit: Visit, now: datetime) -> Changes:
        return {
            **_results(self.source, self.summary),
            "provisional": True,
            "claim": _nobodys_before(self.until),
            "stage_tries": visit.stage_tries - (0 if self.used_a_try else 1),
            "held_since": visit.held_since if self.used_a_try else visit.held_since or now,
            "wake_at": self.until,
        }


@dataclass(frozen=True)
class SummaryStored(Event):
    """The summary and the action items are committed together with this event."""

    step = Step.COMPLETED
    source: Source
    summary: VisitSummary
    action_ids: tuple[str, ...]

    @property
    def detail(self) -> str:
        return self.source

    def changes(self, visit: Visit, now: datetime) -> Changes:
        made = visit.ledger.summaries + (1 if self.source == "model" else 0)
        return {
            **_results(self.source, self.summary),
            "provisional": False,
            "action_ids": self.action_ids,
            "ledger": visit.ledger.model_copy(update={"summaries": made}),
        }


@dataclass(frozen=True)
class SummaryFailed(AudioRejected):
    """There will be no summary without somebody's help; the transcript stays."""

    stage = Stage.SUMMARY


@dataclass(frozen=True)
class SubmissionRetried(Event):
    """Somebody asks for another attempt, and there is no transcript yet."""

    step = Step.AUDIO_RECEIVED

    def changes(self, visit: Visit, now: datetime) -> Changes:
        return {**_retried(visit, now), "wake_at": now, "transcription": None}


@dataclass(frozen=True)
class SummaryRetried(Event):
    """Somebody asks for another attempt at the summary; the transcript is there and stays."""

    step = Step.TRANSCRIPT_READY

    def changes(self, visit: Visit, now: datetime) -> Changes:
        return {**_retried(visit, now), "wake_at": now + REQUEST_GRACE, "requests": 1}


@dataclass(frozen=True)
class SummaryRegenerated(SummaryRetried):
    """Somebody wants another summary of a visit that has one; that one stays until then."""


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
        return {**super().changes(visit, now), "consent": Consent(given_at=now)}


@dataclass(frozen=True)
class VisitEdited(Event):
    """The owner changed `fields` of the visit that are the owner's; the work goes on as it was."""

    recorded = False
    fields: Changes

    def changes(self, visit: Visit, now: datetime) -> Changes:
        return self.fields


def _nobodys_before(until: datetime) -> Claim:
    """Keeps a repeated task, or a tick that lost a race, from asking again before the time."""
    return Claim(holder="nobody", until=until)


def _claimed(visit: Visit, claim: Claim) -> Changes:
    return {"claim": claim, "stage_tries": visit.stage_tries + 1, "wake_at": claim.until}


def _trouble(visit: Visit, code: ErrorCode, now: datetime) -> Trouble:
    if visit.trouble is not None:
        return visit.trouble.again(code, now)
    return Trouble(first_code=code, first_at=now, last_code=code, last_at=now)


def _retried(visit: Visit, now: datetime) -> Changes:
    return {
        "attempt": visit.attempt + 1,
        "stage_tries": 0,
        "restarts": 0,
        "claim": None,
        "trouble": None,
        "held_since": None,
        "processing_error": None,
        "retry_count": visit.retry_count + 1,
        "last_retry_at": now,
        "timings": Timings(processing_started_at=now),
    }


def _results(source: Source, summary: VisitSummary) -> Changes:
    return {
        "source": source,
        "summary": " ".join(statement.text for statement in summary.summary),
        "summary_statements": tuple(summary.summary),
        "diagnoses": tuple(summary.diagnoses),
        "medications": summary.medications,
        "imaging": tuple(summary.imaging),
        "next_steps": tuple(summary.next_steps),
        "education": tuple(summary.education),
    }
