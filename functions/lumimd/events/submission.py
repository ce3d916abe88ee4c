"""A recording arrives, is checked, and its transcript is ordered."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar, Final

from lumimd.audio import Audio
from lumimd.errors import ErrorCode
from lumimd.events.event import Changes, Event, claimed, holder_died, nobodys_before, trouble
from lumimd.progress import Step
from lumimd.records import Claim, ProcessingError, Stage, Timings, Transcription, Visit
from lumimd.resilience.backoff import MAX_TRIES

POLL_EVERY: Final = timedelta(seconds=45)
"""Less than the scheduler's minute, so that each of its ticks asks about each running job."""

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
            "counted": False,
            "queued_at": None,
            "deaths": 0,
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
    """Somebody is about to check the recording and to pay for its transcription.

    Whoever held it before and has said nothing is counted apart: it may not have come to an order.
    """

    step = Step.SUBMITTING
    claim: Claim

    def changes(self, visit: Visit, now: datetime) -> Changes:
        died = holder_died(visit)
        return {
            **claimed(visit, self.claim),
            "stage_tries": visit.stage_tries + (0 if died else 1),
            "deaths": visit.deaths + died,
            "orders": visit.orders + 1,
            "turn": None,
        }


@dataclass(frozen=True)
class SubmissionDeferred(Event):
    """The submission did not work out, or nobody knows; look again at `until`.

    `counted`: against the quota. `died`: the process that had opened the recording did.
    """

    until: datetime
    code: ErrorCode
    used_a_try: bool = True
    counted: bool = False
    died: bool = False

    @property
    def detail(self) -> str:
        return self.code

    def changes(self, visit: Visit, now: datetime) -> Changes:
        return {
            "claim": nobodys_before(self.until),
            "wake_at": self.until,
            "stage_tries": visit.stage_tries - (0 if self.used_a_try else 1),
            "deaths": visit.deaths + self.died,
            "counted": visit.counted or self.counted,
            "trouble": trouble(visit, self.code, now),
        }


@dataclass(frozen=True)
class SubmissionHeld(Event):
    """The provider is known to be down, or the work switched off: no try is used up.

    `had_claimed` as if for one. Who was in line leaves it. `counted`: against the quota.
    """

    recorded = False
    until: datetime
    had_claimed: bool = True
    counted: bool = False

    def changes(self, visit: Visit, now: datetime) -> Changes:
        return {
            "claim": nobodys_before(self.until),
            "wake_at": self.until,
            "held_since": visit.held_since or now,
            "turn": None,
            "counted": visit.counted or self.counted,
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
            "queued_at": visit.queued_at or now,
            "counted": visit.counted or self.turn is not None,
            "claim": None,
            "wake_at": self.until,
            "stage_tries": visit.stage_tries - used,
            # Deploys end holders, too; but what is not opened any more stays so.
            "deaths": MAX_TRIES if visit.deaths >= MAX_TRIES else 0,
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
            "counted": True,
            "deaths": 0,
            "stage_tries": 0,
            "trouble": None,
            "held_since": None,
            "ledger": visit.ledger.model_copy(update={"orders": visit.ledger.orders + 1}),
            "claim": None,
            "wake_at": now + POLL_EVERY,
        }
