"""Events of the first stage: a recording arrives, a worker checks it and submits a paid job."""

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
"""The number of given-up jobs that a visit remembers. One attempt gives up at most three jobs."""

LOOK_FIRST: Final = 2
"""The value of `possible_orders` for a file that may already have an order (a paid job). The first
lease of this file, and of each file that waits behind it, looks for the job before it pays."""


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

    Results of the earlier generation stay shown until the new generation is transcribed. If the new
    generation brings no transcript, they stay permanently.
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
        """Return `possible_orders` for `first`: an unfinished file may already have a paid job."""
        if first == visit.audio != self.audio:
            return visit.possible_orders
        return LOOK_FIRST if visit.possible_orders and others else 0


def begun_with(visit: Visit, audio: Audio, waiting: tuple[Audio, ...], now: datetime) -> Changes:
    """Return the fields that begin work on `audio` in a new attempt; stored results stay."""
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
        # Any of the waiting files may have had an order before it returned to the waiting files.
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
    """Return the refused files of the visit and, refused with `code`, the `files`."""
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
    """Return the given-up jobs of the visit, with the present job added."""
    job = (visit.transcription.transcript_id,) if visit.transcription else ()
    return (*visit.given_up_jobs, *job)[-GIVEN_UP_REMEMBERED:]


def _with_the_failed(
    visit: Visit, audio: Audio, now: datetime, stopped: tuple[Audio, ...]
) -> tuple[RefusedTake, ...]:
    """Return the refused files, with those that stopped or failed before work on `audio` began."""
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
    """Return the status that the visit returns to if the file that begins brings no transcript."""
    completed = ProcessingStatus.COMPLETED
    if visit.processing_status is completed or visit.kept is completed:
        return completed
    return ProcessingStatus.SUMMARIZING if takes_of(visit) else None


@dataclass(frozen=True)
class AudioRepeated(Event):
    """A duplicate or late upload event: the visit already has this or a newer generation."""


@dataclass(frozen=True)
class SubmissionClaimed(Event):
    """A worker leases the submission, to check the recording and to pay for its transcription.

    An earlier lease that expired without an outcome counts separately (`expired_leases`), because
    its worker may have ordered nothing.
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
    """Return `expired_leases` after a wait: reset to 0, since deploys end workers too.

    At `MAX_TRIES` the count stays, so that the duration of the recording is not read again.
    """
    return MAX_TRIES if visit.expired_leases >= MAX_TRIES else 0


@dataclass(frozen=True)
class SubmissionDeferred(Event):
    """The submission failed, or its outcome is unknown; the next try is at `until`.

    `counted` means that the recording counts against the quota, `died` that the process that had
    opened the recording crashed.
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

    With `had_lease` the try of the lease is given back. A queued visit leaves the fair queue.
    `counted` means that the recording counts against the quota. During an account or configuration
    fault (`for_fault`) the time limits stop too, and a lease that expired uses up no try, since its
    call was refused.
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

    `turn` is the visit's turn in the fair queue; None means that the user is over the quota until
    `until`. `had_lease` has the same meaning as in `SubmissionHeld`.
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

    `given_up` means that the job may still run, and that a retry does not adopt it. `charge` is set
    because the provider charges even for a job without speech.
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
        """Return the fields about the job that subclasses also set: a given-up job, its charge."""
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
