"""Events of a visit with several files: a file arrives, is transcribed, or brings no transcript."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from lumimd.domain.audio import Audio
from lumimd.domain.codes import ErrorCode
from lumimd.domain.events.event import Changes, Event
from lumimd.domain.events.submission import AudioRejected, AudioReplaced, begun_with, refused
from lumimd.domain.events.transcription import TranscriptStored
from lumimd.domain.progress import Step
from lumimd.domain.takes import in_turn, takes_of
from lumimd.domain.timing import REQUEST_GRACE
from lumimd.domain.visit import Timings, Visit


@dataclass(frozen=True)
class TakeAdded(Event):
    """Another file arrived while a file is in progress: the new file waits for its turn."""

    audio: Audio

    def changes(self, visit: Visit, now: datetime) -> Changes:
        return {"waiting_takes": in_turn(visit.waiting_takes, self.audio)}


@dataclass(frozen=True)
class TakeAccepted(AudioReplaced):
    """Another file arrived while no file is in progress; results stay shown."""


@dataclass(frozen=True)
class TakeTranscribed(TranscriptStored):
    """The transcript of a file is stored, and the next file begins."""

    step = Step.AUDIO_RECEIVED

    def changes(self, visit: Visit, now: datetime) -> Changes:
        stored = super().changes(visit, now)
        return {**stored, **_next_begun(visit.model_copy(update=stored), now)}


@dataclass(frozen=True)
class TakeRefused(AudioRejected):
    """A file brought no transcript, and the next file begins."""

    step = Step.AUDIO_RECEIVED

    def changes(self, visit: Visit, now: datetime) -> Changes:
        assert visit.audio is not None
        noted = refused(visit, self.code, now, (visit.audio,))
        return {**_next_begun(visit, now), "refused_takes": noted, **self.job(visit)}


@dataclass(frozen=True)
class TranscriptKept(AudioRejected):
    """A file brought no transcript; the transcripts of the other files are summarized."""

    step = Step.TRANSCRIPT_READY

    def changes(self, visit: Visit, now: datetime) -> Changes:
        return {
            **_as_before(visit, self.code, now),
            **self.job(visit),
            "requests": 1,
            "timings": Timings(processing_started_at=now),
            "wake_at": now + REQUEST_GRACE,
        }


@dataclass(frozen=True)
class ResultsKept(AudioRejected):
    """A file brought no transcript; the visit returns to its completed results."""

    step = Step.COMPLETED

    def changes(self, visit: Visit, now: datetime) -> Changes:
        return {**_as_before(visit, self.code, now), **self.job(visit)}


MEANT: Final = (TakeTranscribed, TakeRefused, TranscriptKept, ResultsKept)
"""Events that replace the final event of a single file (`state_machine.in_view_of`)."""


def _next_begun(visit: Visit, now: datetime) -> Changes:
    following, *others = visit.waiting_takes
    return begun_with(visit, following, tuple(others), now)


def _as_before(visit: Visit, code: ErrorCode, now: datetime) -> Changes:
    assert visit.audio is not None
    last = takes_of(visit)[-1]
    return {
        # A new attempt, so that late results of the file are refused.
        "attempt": visit.attempt + 1,
        "audio": last.audio,
        "audio_url": last.audio.url,
        "transcription": last.transcription,
        "waiting_takes": (),
        "refused_takes": refused(visit, code, now, (visit.audio, *visit.waiting_takes)),
        "kept": None,
        "processing_error": None,
        "stage_tries": 0,
        "expired_leases": 0,
        "lease": None,
        "trouble": None,
        "held_since": None,
    }
