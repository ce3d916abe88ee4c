"""The documents of a visit as they are stored and as clients read them.

| path                         | record                            |
|------------------------------|-----------------------------------|
| visits/{visitId}             | `Visit`                           |
| visits/{visitId}/transcript/ | `TranscriptPage` (transcript.py)  |
| visits/{visitId}/history/    | `HistoryEntry`                    |
| actions/{actionId}           | `Action`                          |
| deadLetters/{visitId}        | `DeadLetter` (dead_letter.py)     |
| deletions/{visitId}          | `Deletion`                        |
| holds/{visitId}              | `Hold`                            |
"""

from datetime import datetime
from enum import StrEnum
from typing import Final

from pydantic import Field

from lumimd.domain.audio import Audio
from lumimd.domain.clinical import Diagnosis, Medications, Source, Statement
from lumimd.domain.codes import ErrorCode
from lumimd.domain.document import Document
from lumimd.domain.progress import Step

SCHEMA_VERSION: Final = 1


class ProcessingStatus(StrEnum):
    """The status of the work on a visit."""

    PENDING = "pending"
    TRANSCRIBING = "transcribing"
    SUMMARIZING = "summarizing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        """Whether the automatic work on the visit has ended."""
        return self in _TERMINAL


_TERMINAL: Final = frozenset(
    {ProcessingStatus.COMPLETED, ProcessingStatus.FAILED, ProcessingStatus.CANCELLED}
)


class Status(StrEnum):
    """The status of a visit for its owner.

    `partial` means that the transcript is stored, and that there is no summary.
    """

    PROCESSING = "processing"
    COMPLETED = "completed"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class VisitKind(StrEnum):
    """The kind of a recording, which selects the analysis after transcription."""

    VISIT = "visit"


class Stage(StrEnum):
    """The stage of the work in which a failure occurred."""

    SUBMISSION = "submission"
    TRANSCRIPTION = "transcription"
    SUMMARY = "summary"


class Consent(Document):
    """The patient's consent to the processing of the recording."""

    given_at: datetime


class LedgerJob(Document):
    """A job at the provider, charged for `seconds` of audio; None means not charged so far."""

    transcript_id: str
    seconds: float | None = None


class Ledger(Document):
    """The cost of all attempts of the visit so far, in the units of the providers' bills.

    `orders` counts the jobs that the provider accepted, `summaries` the responses of the model,
    good and bad. Up to `summaries_unsettled` more responses may have been paid: their workers
    crashed, or the responses were lost on the way. `jobs` lists the newest jobs, so that each job
    counts once.
    """

    audio_seconds: float = 0.0
    orders: int = 0
    summaries: int = 0
    summaries_unsettled: int = 0
    jobs: tuple[LedgerJob, ...] = ()


class Lease(Document):
    """The lease of a worker on the present stage; its `reserved` model calls are on the ledger."""

    holder: str
    until: datetime
    reserved: int = 0


class Transcription(Document):
    """The job at the provider and its result."""

    provider: str
    transcript_id: str
    submitted_at: datetime
    completed_at: datetime | None = None
    language_code: str | None = None
    confidence: float | None = None
    pages: int = 0


class Take(Document):
    """A file in the transcript: its audio, its job, its number of `utterances`, and its `seconds`.

    `order` keeps takes in the order of their upload, even if a file is replaced later.
    """

    audio: Audio
    transcription: Transcription
    utterances: int | None = None
    seconds: float
    order: int


class RefusedTake(Document):
    """A file that brought no transcript, with a code and a sentence from the closed list."""

    storage_path: str
    generation: int
    code: ErrorCode
    message: str
    at: datetime


class ProcessingError(Document):
    """The failure of a visit: a code and a sentence from the closed list, nothing technical."""

    code: ErrorCode
    message: str
    stage: Stage
    retryable: bool

    @classmethod
    def of(cls, code: ErrorCode, stage: Stage) -> "ProcessingError":
        """Return the record of a failure in `stage`."""
        return cls(code=code, message=code.sentence, stage=stage, retryable=code.retryable)


class Trouble(Document):
    """The first and the last error of the present stage."""

    first_code: ErrorCode
    first_at: datetime
    last_code: ErrorCode
    last_at: datetime
    times: int = 1

    def again(self, code: ErrorCode, now: datetime) -> "Trouble":
        """Return these errors with `code` as the last error."""
        return self.model_copy(update={"last_code": code, "last_at": now, "times": self.times + 1})


class Timings(Document):
    """The start and the end of the present attempt."""

    processing_started_at: datetime
    processing_completed_at: datetime | None = None
    processing_time_ms: int | None = None

    def ended_at(self, now: datetime) -> "Timings":
        """Return these timings with the end of the attempt at `now`."""
        elapsed_ms = round((now - self.processing_started_at).total_seconds() * 1000)
        return self.model_copy(
            update={"processing_completed_at": now, "processing_time_ms": elapsed_ms}
        )


class VisitLine(Document):
    """The technical state of a visit, as operators' lists read it, without any words of the visit.

    The title is left out as well, since owners may write any text into the title.
    """

    visit_id: str
    user_id: str
    status: Status = Status.PROCESSING
    processing_status: ProcessingStatus = ProcessingStatus.PENDING
    current_step: Step = Step.WAITING_FOR_AUDIO
    progress_percent: int = 0
    processing_error: ProcessingError | None = None
    audio: Audio | None = None
    attempt: int = 1  # grows when work starts over; results of earlier attempts are refused
    stage_tries: int = 0  # used up in the present stage; a wait for a dependency uses up no try
    possible_orders: int = Field(0, alias="orders")  # leases that may have ordered a transcript
    retry_count: int = 0  # requested retries of failed work
    wake_at: datetime | None = None
    lease: Lease | None = Field(None, alias="claim")
    trouble: Trouble | None = None
    transcription: Transcription | None = None
    provisional: bool = False  # a rule-based summary that is shown until the final summary
    legal_hold: bool = False
    ledger: Ledger = Ledger()
    timings: Timings | None = None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, visit: "Visit") -> "VisitLine":
        """Return the technical state of `visit`."""
        return VisitLine.from_stored(visit.to_stored())

    @classmethod
    def stored_fields(cls) -> list[str]:
        """Return the stored names of these fields, the only fields that a list reads."""
        return [field.alias or name for name, field in VisitLine.model_fields.items()]

    def is_leased(self, now: datetime) -> bool:
        """Whether a worker may still be working on the present stage."""
        return self.lease is not None and self.lease.until > now


class Visit(VisitLine):
    """One recorded visit."""

    kind: VisitKind = VisitKind.VISIT
    schema_version: int = SCHEMA_VERSION
    batch_id: str | None = None
    urgent: bool = False  # overtakes ordinary visits
    consent: Consent | None = None
    title: str | None = None
    archived: bool = False
    tags: tuple[str, ...] = ()

    # A visit may have several files, its takes (`takes.py`).
    audio_url: str | None = None
    audio_erased_at: datetime | None = None
    takes: tuple[Take, ...] = ()
    waiting_takes: tuple[Audio, ...] = ()
    refused_takes: tuple[RefusedTake, ...] = ()
    held_takes: tuple[Audio, ...] = ()  # arrived under legal hold; wait for the release
    summary_owed: bool = False  # a new summary waits for the release of the legal hold
    kept: ProcessingStatus | None = None  # the status after a file without a transcript

    estimated_seconds_remaining: int | None = None
    taking_longer_than_expected: bool = False
    overdue_at: datetime | None = None  # from then on the visit takes longer than expected

    expired_leases: int = Field(0, alias="deaths")  # submission leases without an outcome
    restarts: int = 0  # jobs that the provider lost
    requests: int = 0  # summary tasks created
    unanswered_requests: int = 0  # summary tasks created since a worker last took up a task
    trace: str | None = None
    held_since: datetime | None = None  # first wait for a dependency in the present stage
    fault_at: datetime | None = None  # last wait for an operator's repair; time limits restart here
    given_up_jobs: tuple[str, ...] = ()  # ran too long; adopted only after they have ended
    turn: int | None = None  # in the fair queue (`coordination/admission/`)
    queued_at: datetime | None = None  # first wait for a permit or for the quota of the user
    counted: bool = False  # whether the recording counts against the quota of the user
    last_retry_at: datetime | None = None  # last request for a retry or a new summary

    transcript_pages: int = 0

    source: Source | None = None
    summary: str | None = None
    summary_statements: tuple[Statement, ...] = ()
    diagnoses: tuple[Diagnosis, ...] = ()
    medications: Medications | None = None
    imaging: tuple[Statement, ...] = ()
    next_steps: tuple[Statement, ...] = ()
    education: tuple[Statement, ...] = ()
    action_ids: tuple[str, ...] = ()  # items of the summary, then items that the owner changed
    retired_action_ids: tuple[str, ...] = ()  # deleted items of earlier summaries

    history_length: int = 0

    @property
    def has_transcript(self) -> bool:
        """Whether the transcript of at least one take is stored."""
        job = self.transcription
        return bool(self.takes) or (job is not None and job.completed_at is not None)

    @property
    def is_summarized(self) -> bool:
        """Whether a summary of the stored transcript is stored."""
        return self.source is not None and self.kept is not ProcessingStatus.SUMMARIZING


class HistoryEntry(Document):
    """One entry in the history of a visit, with codes only and without words of the visit."""

    position: int
    event: str
    from_status: ProcessingStatus
    to_status: ProcessingStatus
    attempt: int
    at: datetime
    detail: str | None = None


class Action(Document):
    """An action item for the patient. The owner of the visit may edit it.

    `due` quotes the words of the visit; `due_date` is a day that the owner has chosen. An item of a
    summary keeps its original text in `extracted_text`, and in `said` a hash of the spoken words
    that it cites. A later summary finds the item by these two fields (`owners_work.py`).
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
    """The mark of a legal hold: commits that require its absence fail while the mark exists.

    The mark is a separate document, so that a visit that is restored from a backup keeps its hold.
    """

    visit_id: str
    user_id: str
    held_at: datetime


class OfVisit(Document):
    """A document of a visit, of which only the visit's id is read."""

    visit_id: str


def receipt_of_everything(user_id: str) -> str:
    """Return the id of the deletion receipt for all data of a user, which is no valid visit id."""
    return f"~{user_id}"


class Deletion(Document):
    """The deletion receipt of a visit; the deletion continues at `wake_at` until it is complete.

    Only the deletion receipt, with ids and counts, remains of the visit. At `settled_at` every
    worker on the visit has certainly stopped. `counts` are the numbers of deleted documents,
    recordings, tasks and copies at the provider.
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
        """Whether the deletion receipt is for all data of its user instead of one visit."""
        return self.visit_id == receipt_of_everything(self.user_id)
