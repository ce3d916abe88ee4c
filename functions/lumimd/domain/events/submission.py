"""A recording arrives; a worker checks it and orders its transcript."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final

from lumimd.domain import ledger
from lumimd.domain.audio import Audio
from lumimd.domain.codes import ErrorCode
from lumimd.domain.events.event import (
    Changes,
    Charge,
    Event,
    expired_without_outcome,
    leased,
    paused_until,
    trouble,
)
from lumimd.domain.progress import Step
from lumimd.domain.takes import in_turn, takes_of, unfinished
from lumimd.domain.timing import MAX_TRIES, POLL_EVERY
from lumimd.domain.visit import (
    Lease,
    ProcessingError,
    ProcessingStatus,
    RefusedTake,
    Stage,
    Timings,
    Transcription,
    Visit,
)

GIVEN_UP_REMEMBERED: Final = 10
"""The newest given-up jobs only: an attempt gives up three at most."""

LOOK_FIRST: Final = 2
"""`possible_orders` of a file that may have an order already. Its first lease looks for the job; so
do the first leases of the files that wait behind it."""


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
    """A newer generation of a recording has arrived: its transcription starts over.

    Results of the earlier one stay shown until the new one is transcribed, and for good if the new
    one brings no transcript.
    """

    def changes(self, visit: Visit, now: datetime) -> Changes:
        if visit.processing_status in (ProcessingStatus.PENDING, ProcessingStatus.TRANSCRIBING):
            return begun_with(visit, self.audio, visit.waiting_takes, now)
        stopped = visit.processing_status is ProcessingStatus.CANCELLED
        left = (*unfinished(visit), *visit.waiting_takes)
        first, *others = in_turn(() if stopped else left, self.audio)
        return {
            **begun_with(visit, first, tuple(others), now),
            "possible_orders": self._possible_orders(visit, first, others),
            "refused_takes": _with_the_failed(visit, self.audio, now, left if stopped else ()),
            "kept": _kept(visit),
        }

    def _possible_orders(self, visit: Visit, first: Audio, others: list[Audio]) -> int:
        """An unfinished file may have an order already: look before paying."""
        if first == visit.audio != self.audio:
            return visit.possible_orders
        return LOOK_FIRST if visit.possible_orders and others else 0


def begun_with(visit: Visit, audio: Audio, waiting: tuple[Audio, ...], now: datetime) -> Changes:
    """The work on one file begins in a new attempt; stored results stay."""
    return {
        "audio": audio,
        "audio_url": audio.url,
        "audio_erased_at": None,
        "takes": takes_of(visit),
        "waiting_takes": waiting,
        "wake_at": now,
        "timings": Timings(processing_started_at=now),
        "transcription": None,
        "attempt": visit.attempt + 1,
        "counted": False,
        "queued_at": None,
        "expired_leases": 0,
        "stage_tries": 0,
        # The waiting files do not say which of them had an order before it went back to wait.
        "possible_orders": LOOK_FIRST if visit.possible_orders > 1 and visit.waiting_takes else 0,
        "restarts": 0,
        "requests": 0,
        "unanswered_requests": 0,
        "lease": None,
        "trouble": None,
        "held_since": None,
        "processing_error": None,
    }


def refused(
    visit: Visit, code: ErrorCode, now: datetime, files: tuple[Audio, ...]
) -> tuple[RefusedTake, ...]:
    """The refused files of the visit, and `files`."""
    takes = (
        RefusedTake(
            storage_path=file.storage_path,
            generation=file.generation,
            code=code,
            message=code.sentence,
            at=now,
        )
        for file in files
    )
    return (*visit.refused_takes, *takes)


def with_given_up(visit: Visit) -> tuple[str, ...]:
    """The given-up jobs and the present job."""
    job = (visit.transcription.transcript_id,) if visit.transcription else ()
    return (*visit.given_up_jobs, *job)[-GIVEN_UP_REMEMBERED:]


def _with_the_failed(
    visit: Visit, audio: Audio, now: datetime, stopped: tuple[Audio, ...]
) -> tuple[RefusedTake, ...]:
    """The refused files when work on `audio` begins, with files that stopped or failed before."""
    others = tuple(each for each in stopped if each.storage_path != audio.storage_path)
    if others:
        return refused(visit, ErrorCode.CANCELLED, now, others)
    error, present = visit.processing_error, visit.audio
    if error is None or present is None or present.storage_path == audio.storage_path:
        return visit.refused_takes
    if unfinished(visit) or any(take.audio == present for take in takes_of(visit)):
        return visit.refused_takes
    return refused(visit, error.code, now, (present,))


def _kept(visit: Visit) -> ProcessingStatus | None:
    """The status to return to if the file that begins now brings no transcript."""
    completed = ProcessingStatus.COMPLETED
    if visit.processing_status is completed or visit.kept is completed:
        return completed
    return ProcessingStatus.SUMMARIZING if takes_of(visit) else None


@dataclass(frozen=True)
class AudioRepeated(Event):
    """An upload event for a generation that the visit has already, or for an older one."""


@dataclass(frozen=True)
class SubmissionClaimed(Event):
    """A worker leases the submission, to check the recording and to pay for its transcription.

    An earlier lease that expired without an outcome counts apart: it may have ordered nothing.
    """

    step = Step.SUBMITTING
    lease: Lease

    def changes(self, visit: Visit, now: datetime) -> Changes:
        expired = expired_without_outcome(visit)
        return {
            **leased(visit, self.lease),
            "stage_tries": visit.stage_tries + (0 if expired else 1),
            "expired_leases": visit.expired_leases + expired,
            "possible_orders": visit.possible_orders + 1,
            "turn": None,
        }


def _expired_leases_after_wait(visit: Visit) -> int:
    """0, since deploys end workers too; `MAX_TRIES` for a recording that is no longer measured."""
    return MAX_TRIES if visit.expired_leases >= MAX_TRIES else 0


@dataclass(frozen=True)
class SubmissionDeferred(Event):
    """The submission failed, or its outcome is unknown; the visit is due again at `until`.

    `counted`: against the quota. `died`: the process that had opened the recording crashed.
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
            "lease": paused_until(self.until),
            "wake_at": self.until,
            "stage_tries": visit.stage_tries - (0 if self.used_a_try else 1),
            "expired_leases": visit.expired_leases + self.died,
            "counted": visit.counted or self.counted,
            "trouble": trouble(visit, self.code, now),
        }


@dataclass(frozen=True)
class SubmissionHeld(Event):
    """The provider is known to be down, or the work is switched off: no try is used up.

    `had_lease`: the try of the lease is given back. A queued visit leaves the fair queue.
    `counted`: against the quota. `for_fault` of the deployment: no time is used up either, and a
    lease that expired meanwhile has used up no try, since its call was refused.
    """

    recorded = False
    until: datetime
    had_lease: bool = True
    for_fault: bool = False
    counted: bool = False

    def changes(self, visit: Visit, now: datetime) -> Changes:
        gives_back = self.had_lease or (self.for_fault and expired_without_outcome(visit))
        return {
            "lease": paused_until(self.until),
            "wake_at": self.until,
            "held_since": visit.held_since or now,
            "fault_at": now if self.for_fault else visit.fault_at,
            "turn": None,
            "expired_leases": (
                _expired_leases_after_wait(visit) if self.for_fault else visit.expired_leases
            ),
            "counted": visit.counted or self.counted,
            "stage_tries": visit.stage_tries - (1 if gives_back else 0),
        }


@dataclass(frozen=True)
class SubmissionQueued(Event):
    """There is no free permit: the provider was not called, and no try is used up.

    `turn` is the visit's turn in the fair queue; None: its user is over the quota until `until`.
    `had_lease` as in `SubmissionHeld`.
    """

    step = Step.QUEUED
    turn: int | None
    until: datetime
    had_lease: bool = True

    @property
    def detail(self) -> str:
        return "over_quota" if self.turn is None else "in_line"

    def changes(self, visit: Visit, now: datetime) -> Changes:
        used = 1 if self.had_lease else 0
        return {
            "turn": self.turn,
            "queued_at": visit.queued_at or now,
            "counted": visit.counted or self.turn is not None,
            "lease": None,
            "wake_at": self.until,
            "stage_tries": visit.stage_tries - used,
            "expired_leases": _expired_leases_after_wait(visit),
            "possible_orders": visit.possible_orders - used,
        }


@dataclass(frozen=True)
class AudioRejected(Event):
    """The recording cannot be transcribed.

    `given_up`: its job may still run, and another try does not adopt it. `charge`: the provider
    charges for a job even if it heard no speech.
    """

    code: ErrorCode
    given_up: bool = False
    charge: Charge | None = None
    stage: ClassVar[Stage] = Stage.SUBMISSION

    @property
    def detail(self) -> str:
        return self.code

    def changes(self, visit: Visit, now: datetime) -> Changes:
        return {
            "processing_error": ProcessingError.of(self.code, self.stage),
            **self.job(visit),
        }

    def job(self, visit: Visit) -> Changes:
        """The fields of the job that every outcome sets: that it was given up, and its cost."""
        noted: Changes = {"given_up_jobs": with_given_up(visit)} if self.given_up else {}
        return {**noted, **self.charge.changes(visit)} if self.charge else noted


@dataclass(frozen=True)
class TranscriptionSubmitted(Event):
    """The provider has accepted the job."""

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
            "expired_leases": 0,
            "stage_tries": 0,
            "trouble": None,
            "held_since": None,
            "ledger": ledger.ordered(visit, self.transcript_id),
            "lease": None,
            "wake_at": now + POLL_EVERY,
        }
