"""Events of the transcription stage: the progress and the outcome of the job at the provider."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from lumimd.domain import ledger
from lumimd.domain.codes import ErrorCode
from lumimd.domain.events.event import Changes, Charge, Event, trouble
from lumimd.domain.events.submission import GIVEN_UP_REMEMBERED, AudioRejected, with_given_up
from lumimd.domain.progress import Step, seconds_remaining, transcribing_percent
from lumimd.domain.takes import takes_of, with_take
from lumimd.domain.timing import REQUEST_GRACE
from lumimd.domain.transcript import Transcript
from lumimd.domain.visit import ProcessingStatus, Stage, Transcription, Visit

NO_RESULTS: Final[Changes] = {
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
class TranscriptionPolled(Event):
    """The job is not ready, or the provider did not answer; the next poll is at `next_poll_at`.

    After an account or configuration fault (`for_fault`), the time limit of the job counts from the
    end of the fault.
    """

    recorded = False
    next_poll_at: datetime
    code: ErrorCode | None = None
    for_fault: bool = False

    def changes(self, visit: Visit, now: datetime) -> Changes:
        assert visit.transcription is not None  # the table allows this event only after submission
        elapsed_s = (now - visit.transcription.submitted_at).total_seconds()
        audio_s = visit.audio.duration_seconds if visit.audio else None
        return {
            "wake_at": self.next_poll_at,
            "trouble": trouble(visit, self.code, now) if self.code else None,
            "held_since": (visit.held_since or now) if self.for_fault else None,
            "fault_at": now if self.for_fault else visit.fault_at,
            "progress_percent": max(
                visit.progress_percent, transcribing_percent(elapsed_s, audio_s)
            ),
            "estimated_seconds_remaining": seconds_remaining(Step.TRANSCRIBING, elapsed_s, audio_s),
        }


@dataclass(frozen=True)
class TranscriptStored(Event):
    """The transcript is committed together with this event.

    If it replaces a transcript, the event also deletes the results of the replaced transcript,
    because they cite deleted utterances.
    """

    step = Step.TRANSCRIPT_READY
    provider: str
    transcript_id: str
    transcript: Transcript
    pages: int

    def changes(self, visit: Visit, now: datetime) -> Changes:
        submitted_at = visit.transcription.submitted_at if visit.transcription else now
        job = Transcription(
            provider=self.provider,
            transcript_id=self.transcript_id,
            submitted_at=submitted_at,
            completed_at=now,
            language_code=self.transcript.language_code,
            confidence=self.transcript.confidence,
            pages=self.pages,
        )
        takes = with_take(visit, self.transcript, job)
        replaced = visit.audio is not None and any(
            take.audio.storage_path == visit.audio.storage_path for take in takes_of(visit)
        )
        seconds = self.transcript.duration_seconds or 0.0
        return {
            **(NO_RESULTS if replaced else {}),
            "ledger": ledger.charged(visit, self.transcript_id, seconds),
            "transcription": job,
            "takes": takes,
            "kept": ProcessingStatus.SUMMARIZING if takes else None,
            "transcript_pages": self.pages,
            "stage_tries": 0,
            "trouble": None,
            "held_since": None,
            "requests": 1,
            "unanswered_requests": 0,
            "lease": None,
            "wake_at": now + REQUEST_GRACE,
        }


@dataclass(frozen=True)
class JobCharged(Event):
    """A job has ended after its visit stopped waiting for it, and is charged.

    The job counts as given up: its transcript is about to be deleted, and no retry adopts it.
    """

    recorded = False
    charge: Charge

    def changes(self, visit: Visit, now: datetime) -> Changes:
        others = (each for each in visit.given_up_jobs if each != self.charge.transcript_id)
        given_up = (*others, self.charge.transcript_id)[-GIVEN_UP_REMEMBERED:]
        return {**self.charge.changes(visit), "given_up_jobs": given_up}


@dataclass(frozen=True)
class TranscriptionFailed(AudioRejected):
    """The provider refused the recording permanently, or was unavailable for too long."""

    stage = Stage.TRANSCRIPTION


@dataclass(frozen=True)
class TranscriptionRestarted(Event):
    """The provider lost the job and does not charge for it; the recording is not at fault."""

    step = Step.AUDIO_RECEIVED
    until: datetime
    code: ErrorCode = ErrorCode.TRANSCRIPTION_FAILED

    @property
    def detail(self) -> str:
        """Return the code of the job's failure."""
        return self.code

    def changes(self, visit: Visit, now: datetime) -> Changes:
        return {
            "held_since": None,
            "trouble": None,
            "transcription": None,
            "attempt": visit.attempt + 1,
            "stage_tries": 0,
            "expired_leases": 0,
            "restarts": visit.restarts + 1,
            "lease": None,
            "wake_at": self.until,
        }


@dataclass(frozen=True)
class TranscriptionGivenUp(TranscriptionRestarted):
    """The job exceeds its time limit; its permit is not released, because the job may still run."""

    def changes(self, visit: Visit, now: datetime) -> Changes:
        return {**super().changes(visit, now), "given_up_jobs": with_given_up(visit)}
