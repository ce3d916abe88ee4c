"""A visit as operators list it: how it stands, and not a word of what was said in it."""

from datetime import datetime

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
    """The technical fields of a `Visit`; a store that can reads no others.

    The title is left out as well: owners write what they like into it.
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
    orders: int = 0
    retry_count: int = 0
    wake_at: datetime | None = None
    lease: Lease | None = None
    trouble: Trouble | None = None
    transcription: Transcription | None = None
    provisional: bool = False
    legal_hold: bool = False
    ledger: Ledger = Ledger()
    timings: Timings | None = None
    created_at: datetime
    updated_at: datetime

    def is_claimed_at(self, now: datetime) -> bool:
        """Whether somebody may still be working on the present stage."""
        return self.lease is not None and self.lease.until > now

    @classmethod
    def of(cls, visit: Visit) -> "VisitLine":
        """The line of `visit`."""
        return cls.from_stored(visit.to_stored())

    @classmethod
    def stored_fields(cls) -> list[str]:
        """The names of these fields as they are stored: all that a list needs to read."""
        return [field.alias or name for name, field in cls.model_fields.items()]
