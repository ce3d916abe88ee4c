"""A visit in the lists of operators: its technical state, and no words of the visit."""

from datetime import datetime

from pydantic import Field

from lumimd.domain.audio import Audio
from lumimd.domain.document import Document
from lumimd.domain.progress import Step
from lumimd.domain.visit import (
    Lease,
    Ledger,
    ProcessingError,
    ProcessingStatus,
    Status,
    Timings,
    Transcription,
    Trouble,
    Visit,
)


class VisitLine(Document):
    """The technical fields of a `Visit`; a store reads no others if it can.

    The title is left out as well: owners may write any text into it.
    """

    visit_id: str
    user_id: str
    status: Status = Status.PROCESSING
    processing_status: ProcessingStatus = ProcessingStatus.PENDING
    current_step: Step = Step.WAITING_FOR_AUDIO
    progress_percent: int = 0
    processing_error: ProcessingError | None = None
    audio: Audio | None = None
    attempt: int = 1
    stage_tries: int = 0
    possible_orders: int = Field(0, alias="orders")
    retry_count: int = 0
    wake_at: datetime | None = None
    lease: Lease | None = Field(None, alias="claim")
    trouble: Trouble | None = None
    transcription: Transcription | None = None
    provisional: bool = False
    legal_hold: bool = False
    ledger: Ledger = Ledger()
    timings: Timings | None = None
    created_at: datetime
    updated_at: datetime

    def is_leased(self, now: datetime) -> bool:
        """Whether a worker may still be working on the present stage."""
        return self.lease is not None and self.lease.until > now

    @classmethod
    def of(cls, visit: Visit) -> "VisitLine":
        """The line of `visit`."""
        return cls.from_stored(visit.to_stored())

    @classmethod
    def stored_fields(cls) -> list[str]:
        """The stored names of these fields: a list needs to read no others."""
        return [field.alias or name for name, field in cls.model_fields.items()]
