"""The documents of a visit as they are stored and as clients read them.

| path                         | record                            |
|------------------------------|-----------------------------------|
| visits/{visitId}             | `Visit`                           |
| visits/{visitId}/transcript/ | `lumimd.domain.transcript.TranscriptPage`|
| visits/{visitId}/history/    | `HistoryEntry`                    |
| actions/{actionId}           | `Action`                          |
| deadLetters/{visitId}        | `lumimd.domain.dead_letter.DeadLetter`   |
| deletions/{visitId}          | `Deletion`                        |
| holds/{visitId}              | `Hold`                            |
"""

from datetime import datetime
from enum import StrEnum
from typing import Final

from pydantic import Field

from lumimd.domain.audio import Audio
from lumimd.domain.clinical import Diagnosis, Medications, Source, Statement
from lumimd.domain.document import Document
from lumimd.domain.errors import MESSAGES, RETRYABLE, ErrorCode
from lumimd.domain.progress import Step

SCHEMA_VERSION: Final = 1


class ProcessingStatus(StrEnum):
    """Where the work on a visit stands."""

    PENDING = "pending"
    TRANSCRIBING = "transcribing"
    SUMMARIZING = "summarizing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        """Whether nothing more will happen by itself."""
        return self in _TERMINAL


_TERMINAL: Final = frozenset(
    {ProcessingStatus.COMPLETED, ProcessingStatus.FAILED, ProcessingStatus.CANCELLED}
)


class Status(StrEnum):
    """What a visit is to its owner.

    `partial`: the transcript is safe and the summary is not there.
    """

    PROCESSING = "processing"
    COMPLETED = "completed"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class VisitKind(StrEnum):
    """What was recorded; it chooses the analysis that follows the transcript."""

    VISIT = "visit"


class Stage(StrEnum):
    """The part of the work in which something failed."""

    SUBMISSION = "submission"
    TRANSCRIPTION = "transcription"
    SUMMARY = "summary"


class Consent(Document):
    """The patient agreed to the processing of the recording."""

    given_at: datetime


class LedgerJob(Document):
    """A job at the provider; `seconds` of audio are charged for it, None where none are so far."""

    transcript_id: str
    seconds: float | None = None


class Ledger(Document):
    """What the visit has cost so far, over all its attempts: what the providers charge by.

    `orders` are jobs that the provider took, `summaries` answers of the model, good ones and bad
    ones. Up to `summaries_unsettled` more answers may have been paid: their workers crashed, or the
    answers were lost on the way. `jobs` are the newest of the jobs, so that each counts once.
    """

    audio_seconds: float = 0.0
    orders: int = 0
    summaries: int = 0
    summaries_unsettled: int = 0
    jobs: tuple[LedgerJob, ...] = ()


class Lease(Document):
    """The lease of a worker on the present stage; `reserved` calls of it are on the ledger."""

    holder: str
    until: datetime
    reserved: int = 0


class Transcription(Document):
    """The provider's job and what came of it."""

    provider: str
    transcript_id: str
    submitted_at: datetime
    completed_at: datetime | None = None
    language_code: str | None = None
    confidence: float | None = None
    pages: int = 0


class Take(Document):
    """A file whose words are in the transcript: `utterances` of them, over `seconds`.

    Takes are in the order of their upload, which `order` keeps when a file is replaced.
    """

    audio: Audio
    transcription: Transcription
    utterances: int | None = None
    seconds: float
    order: int


class RefusedTake(Document):
    """A file that brought nothing to the visit, and why, in words of the closed list."""

    storage_path: str
    generation: int
    code: ErrorCode
    message: str
    at: datetime


class ProcessingError(Document):
    """Why a visit failed: a code and a sentence from the closed list, nothing technical."""

    code: ErrorCode
    message: str
    stage: Stage
    retryable: bool

    @classmethod
    def of(cls, code: ErrorCode, stage: Stage) -> "ProcessingError":
        """The record of a failure in `stage`."""
        return cls(code=code, message=MESSAGES[code], stage=stage, retryable=code in RETRYABLE)


class Trouble(Document):
    """What went wrong in the present stage so far, from the first time to the last."""

    first_code: ErrorCode
    first_at: datetime
    last_code: ErrorCode
    last_at: datetime
    times: int = 1

    def again(self, code: ErrorCode, now: datetime) -> "Trouble":
        """This trouble, once more."""
        return self.model_copy(update={"last_code": code, "last_at": now, "times": self.times + 1})


class Timings(Document):
    """When the present attempt began and ended."""

    processing_started_at: datetime
    processing_completed_at: datetime | None = None
    processing_time_ms: int | None = None

    def ended_at(self, now: datetime) -> "Timings":
        """These timings, closed at `now`."""
        elapsed_ms = round((now - self.processing_started_at).total_seconds() * 1000)
        return self.model_copy(
            update={"processing_completed_at": now, "processing_time_ms": elapsed_ms}
        )


class Visit(Document):
    """One recorded visit.

    `attempt` counts from 1 and rises whenever the work starts over; whatever an earlier attempt
    still brings is refused. `stage_tries` counts the tries of the present stage that were used up;
    waiting for a dependency that is known to be down uses up none. `expired_leases` counts the
    submission's leases that expired without an outcome. `possible_orders` counts the leases under
    which a transcript of this recording may have been ordered, `restarts` how often the provider
    lost its job, `requests` the summary tasks created, `unanswered_requests` those of them that no
    worker has taken up since the last one did. `held_since` is when the present stage first had to
    wait for a dependency that is known to be down, `fault_at` when the visit last had to wait for a
    fault of the deployment: its times count from then on. `given_up_jobs` are jobs at the provider
    that ran for too long; they are not adopted, unless they end after all. From
    `overdue_at` on, a visit that is not at its end takes longer than expected. `retry_count` counts
    the attempts at what failed that were asked for, and `last_retry_at` is when another attempt, or
    another summary, last was. `turn` is the visit's
    turn in the line for the provider while it waits there (`admission/`), `queued_at` when it first
    had to wait, there or for its user's quota. Once it was in line or at the provider, its
    recording is `counted` against that quota. An `urgent` visit overtakes the others. A
    `provisional` summary was made by rules while the model was away; it is replaced once, or the
    rules' is made final. A visit may have several files, its takes (`takes.py`); `kept` is the
    status that it goes back to when the present file brings nothing. `action_ids` are the action
    items of the summary in its order, and those of earlier ones that their owner has worked on;
    `retired_action_ids` are items of earlier summaries that are gone. While it is under
    `legal_hold`, recordings that come are `held_takes`, and a summary that would replace the
    stored one is `summary_owed`: both wait for the release.
    """

    visit_id: str
    user_id: str
    kind: VisitKind = VisitKind.VISIT
    schema_version: int = SCHEMA_VERSION
    batch_id: str | None = None
    urgent: bool = False
    consent: Consent | None = None
    legal_hold: bool = False
    title: str | None = None
    archived: bool = False
    tags: tuple[str, ...] = ()

    audio: Audio | None = None
    audio_url: str | None = None
    audio_erased_at: datetime | None = None
    takes: tuple[Take, ...] = ()
    waiting_takes: tuple[Audio, ...] = ()
    refused_takes: tuple[RefusedTake, ...] = ()
    held_takes: tuple[Audio, ...] = ()
    summary_owed: bool = False
    kept: ProcessingStatus | None = None

    status: Status = Status.PROCESSING
    processing_status: ProcessingStatus = ProcessingStatus.PENDING
    progress_percent: int = 0
    current_step: Step = Step.WAITING_FOR_AUDIO
    estimated_seconds_remaining: int | None = None
    taking_longer_than_expected: bool = False
    overdue_at: datetime | None = None
    processing_error: ProcessingError | None = None

    attempt: int = 1
    stage_tries: int = 0
    expired_leases: int = Field(0, alias="deaths")
    possible_orders: int = Field(0, alias="orders")
    restarts: int = 0
    requests: int = 0
    unanswered_requests: int = 0
    wake_at: datetime | None = None
    lease: Lease | None = Field(None, alias="claim")
    trace: str | None = None
    trouble: Trouble | None = None
    held_since: datetime | None = None
    fault_at: datetime | None = None
    given_up_jobs: tuple[str, ...] = ()
    turn: int | None = None
    queued_at: datetime | None = None
    counted: bool = False
    retry_count: int = 0
    last_retry_at: datetime | None = None

    transcription: Transcription | None = None
    transcript_pages: int = 0

    source: Source | None = None
    provisional: bool = False
    summary: str | None = None
    summary_statements: tuple[Statement, ...] = ()
    diagnoses: tuple[Diagnosis, ...] = ()
    medications: Medications | None = None
    imaging: tuple[Statement, ...] = ()
    next_steps: tuple[Statement, ...] = ()
    education: tuple[Statement, ...] = ()
    action_ids: tuple[str, ...] = ()
    retired_action_ids: tuple[str, ...] = ()

    ledger: Ledger = Ledger()
    history_length: int = 0
    created_at: datetime
    updated_at: datetime
    timings: Timings | None = None

    @property
    def has_transcript(self) -> bool:
        """Whether words of the visit are stored, of whichever take."""
        job = self.transcription
        return bool(self.takes) or (job is not None and job.completed_at is not None)

    @property
    def is_summarized(self) -> bool:
        """Whether the stored summary, if there is one, is of the stored words."""
        return self.source is not None and self.kept is not ProcessingStatus.SUMMARIZING

    def is_leased(self, now: datetime) -> bool:
        """Whether somebody may still be working on the present stage."""
        return self.lease is not None and self.lease.until > now


class HistoryEntry(Document):
    """One line of a visit's timeline: codes only, never a word of the visit."""

    position: int
    event: str
    from_status: ProcessingStatus
    to_status: ProcessingStatus
    attempt: int
    at: datetime
    detail: str | None = None


class Action(Document):
    """Something the patient has to do. The owner may edit it afterwards.

    `due` is in the words of the visit; `due_date` is a day that the owner has chosen. Of an item of
    a summary, `extracted_text` is its text as the summary has it, and `said` a hash of the spoken
    words that it cites: another summary finds the item by them (`owners_work.py`).
    """

    action_id: str
    visit_id: str
    user_id: str
    text: str
    extracted_text: str | None = None
    evidence: tuple[str, ...]
    said: str | None = None
    due: str | None = None
    due_date: datetime | None = None
    completed: bool = False
    created_at: datetime


class Hold(Document):
    """The mark of a legal hold: while it is there, no commit that depends on its absence succeeds.

    It is a document of its own, so that a visit that is restored from a backup keeps its hold.
    """

    visit_id: str
    user_id: str
    held_at: datetime


class OfVisit(Document):
    """The visit that a document belongs to; its other fields are not read."""

    visit_id: str


def receipt_of_everything(user_id: str) -> str:
    """The id of the receipt for all of a user; no visit may have such an id."""
    return f"~{user_id}"


class Deletion(Document):
    """The receipt of a deletion, and until it is complete what is left to do, at `wake_at`.

    It is all that remains of the visit: ids and counts. `settled_at` is when whoever was at work on
    the visit has stopped for certain; `counts` are the documents, recordings, tasks and copies at
    the provider that were deleted.
    """

    visit_id: str
    user_id: str
    requested_at: datetime
    settled_at: datetime
    wake_at: datetime | None
    completed_at: datetime | None = None
    bucket: str | None = None
    folder: str
    transcript_ids: tuple[str, ...] = ()
    counts: dict[str, int] = Field(default_factory=dict)

    @property
    def is_of_everything(self) -> bool:
        """Whether it is the receipt for everything of its user, and not for one visit."""
        return self.visit_id == receipt_of_everything(self.user_id)
