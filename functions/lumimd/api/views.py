"""Views for clients, made from stored documents. Fields that are not listed here stay internal."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from math import ceil
from typing import Final, Literal, Self

from pydantic import Field

from lumimd.domain.clinical import Diagnosis, Medication, Medications, Source, Statement
from lumimd.domain.codes import ErrorCode
from lumimd.domain.document import Document
from lumimd.domain.progress import Step
from lumimd.domain.timing import LONG
from lumimd.domain.transcript import Utterance
from lumimd.domain.visit import (
    Consent,
    HistoryEntry,
    ProcessingError,
    ProcessingStatus,
    Status,
    Timings,
    Visit,
    VisitKind,
)
from lumimd.domain.visit_groups import Group, group_of
from lumimd.policies.due import RETRY_GAP
from lumimd.ports.uploads import UploadPlace

MILESTONES: Final = (0, 25, 50, 75, 100)


class VisitCard(Document):
    """A visit in a list."""

    visit_id: str
    kind: VisitKind
    group: Group
    title: str | None
    archived: bool
    tags: tuple[str, ...]
    batch_id: str | None
    urgent: bool
    status: Status
    processing_status: ProcessingStatus
    current_step: Step
    progress_percent: int
    taking_longer_than_expected: bool
    processing_error: ProcessingError | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, visit: Visit) -> Self:
        """Return the part of `visit` that this view shows."""
        return cls.model_validate({**visit.model_dump(), "group": group_of(visit)})


class Recording(Document):
    """The recording of a visit, as far as it is known."""

    content_type: str
    size_bytes: int | None
    duration_seconds: float | None


class TakeView(Document):
    """A file whose words are part of the transcript."""

    audio: Recording
    seconds: float


class RefusedTakeView(Document):
    """A file that added no words to the visit, and the reason."""

    code: ErrorCode
    message: str
    at: datetime


class VisitView(VisitCard):
    """A visit with its full summary."""

    audio: Recording | None
    takes: tuple[TakeView, ...] = Field(description="In the order of their upload.")
    waiting_takes: tuple[Recording, ...] = Field(description="Files that are transcribed next.")
    refused_takes: tuple[RefusedTakeView, ...]
    attempt: int
    retry_count: int
    last_retry_at: datetime | None
    estimated_seconds_remaining: int | None
    source: Source | None
    provisional: bool
    summary: str | None
    summary_statements: tuple[Statement, ...]
    diagnoses: tuple[Diagnosis, ...]
    medications: Medications | None
    imaging: tuple[Statement, ...]
    next_steps: tuple[Statement, ...]
    education: tuple[Statement, ...]
    action_ids: tuple[str, ...]
    timings: Timings | None
    consent: Consent | None
    legal_hold: bool


class NewVisitView(Document):
    """A created visit, and where to upload its recording."""

    visit: VisitCard
    upload: UploadPlace


class NewBatchView(Document):
    """The visits of a batch, in the order of the request."""

    batch_id: str
    visits: tuple[NewVisitView, ...]


class Progress(Document):
    """The progress of a visit, for a client that waits."""

    visit_id: str
    attempt: int
    status: Status
    processing_status: ProcessingStatus
    current_step: Step
    progress_percent: int
    milestone: Literal[0, 25, 50, 75, 100] = Field(
        description="The last quarter reached; within an attempt it only rises."
    )
    elapsed_seconds: int = Field(description="Since this attempt began.")
    estimated_seconds_remaining: int | None = Field(description="0 at the end, null if unknown.")
    queue_position: int | None = Field(
        description="From 1 on, while the visit waits in the queue for transcription."
    )
    taking_longer_than_expected: bool
    retry_in_seconds: int | None = Field(
        description="When a retry will be accepted, 0 for now; null if a retry would not help."
    )
    error: ProcessingError | None

    @classmethod
    def of(cls, visit: Visit, now: datetime, queue_position: int | None = None) -> "Progress":
        """Return the progress of `visit` at `now`."""
        running = not visit.processing_status.is_terminal
        elapsed = _elapsed(visit, now)
        left = visit.estimated_seconds_remaining
        if left is not None and running:
            left = max(0, left - max(0, int((now - visit.updated_at).total_seconds())))
        percent = visit.progress_percent
        return cls.model_validate(
            {
                **visit.model_dump(),
                "milestone": max(reached for reached in MILESTONES if reached <= percent),
                "elapsed_seconds": int(elapsed.total_seconds()),
                "estimated_seconds_remaining": left,
                "queue_position": queue_position,
                "taking_longer_than_expected": running and elapsed >= LONG,
                "retry_in_seconds": _retry_in(visit, now),
                "error": visit.processing_error,
            }
        )


class TranscriptView(Document):
    """The utterances of a visit, with speakers and times."""

    visit_id: str
    language_code: str | None
    utterances: tuple[Utterance, ...]


class HistoryView(Document):
    """The timeline of a visit, oldest first."""

    visit_id: str
    entries: tuple[HistoryEntry, ...]


class ActionView(Document):
    """A task for the patient."""

    action_id: str
    visit_id: str
    text: str
    evidence: tuple[str, ...]
    due: str | None
    due_date: datetime | None
    completed: bool
    created_at: datetime

    @classmethod
    def of(cls, action: Document) -> "ActionView":
        """Return the part of an action item that its owner sees."""
        return cls.model_validate(action.model_dump())


class ActionsView(Document):
    """The action items of one visit, in the order of its summary."""

    visit_id: str
    actions: tuple[ActionView, ...]


class BatchStatus(Document):
    """The status of a batch: its visits by status, and the progress of the whole batch."""

    batch_id: str
    total: int
    by_status: dict[Status, int]
    by_processing_status: dict[ProcessingStatus, int]
    progress_percent: int = Field(description="The mean; a visit that has ended counts as 100.")
    is_over: bool

    @classmethod
    def of(cls, batch_id: str, visits: Sequence[Visit]) -> "BatchStatus":
        """Return the status of a batch of at least one visit."""
        over = [visit.processing_status.is_terminal for visit in visits]
        percents = [
            100 if ended else visit.progress_percent
            for visit, ended in zip(visits, over, strict=True)
        ]
        status = Counter(visit.status for visit in visits)
        processing_status = Counter(visit.processing_status for visit in visits)
        return cls(
            batch_id=batch_id,
            total=len(visits),
            by_status={each: status[each] for each in Status},
            by_processing_status={each: processing_status[each] for each in ProcessingStatus},
            progress_percent=sum(percents) // len(percents),
            is_over=all(over),
        )


class MedicationLine(Document):
    """A medication that a visit started, stopped or changed."""

    visit_id: str
    visit_title: str | None
    visited_at: datetime
    change: Literal["started", "stopped", "changed"]
    medication: Medication


def _retry_in(visit: Visit, now: datetime) -> int | None:
    error = visit.processing_error
    if visit.processing_status is not ProcessingStatus.FAILED or not (error and error.retryable):
        return None
    since = now - visit.last_retry_at if visit.last_retry_at else RETRY_GAP
    return max(0, ceil((RETRY_GAP - since).total_seconds()))


def _elapsed(visit: Visit, now: datetime) -> timedelta:
    if visit.timings is None:
        return timedelta()
    until = visit.timings.processing_completed_at or now
    return max(timedelta(), until - visit.timings.processing_started_at)
