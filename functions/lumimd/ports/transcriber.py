"""A provider of transcripts with speaker labels."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from lumimd.domain.audio import Audio
from lumimd.domain.errors import ErrorCode
from lumimd.domain.transcript import Transcript
from lumimd.ports.paging import Cursor, Page


@dataclass(frozen=True)
class Running:
    """The job is queued or being worked on."""


@dataclass(frozen=True)
class Transcribed:
    """The job is done. The transcript may be silent."""

    transcript: Transcript


@dataclass(frozen=True)
class Failed:
    """The job ended with an error. `is_transient`: another try may well succeed."""

    code: ErrorCode
    is_transient: bool


@dataclass(frozen=True)
class Job:
    """A transcription job as the provider knows it. `audio_url` is the URL that it was given."""

    transcript_id: str
    audio_url: str
    state: Running | Transcribed | Failed


@dataclass(frozen=True)
class KnownJob:
    """A job as the provider's list shows it; `ordered_at` where the list tells."""

    transcript_id: str
    audio_url: str
    is_over: bool
    ordered_at: datetime | None = None


class Transcriber(Protocol):
    """A provider of transcripts with speaker labels."""

    provider: str

    async def submit(self, audio_url: str, *, visit_id: str, attempt: int) -> str:
        """Order a transcript and return the job's id. This is what costs money.

        Never repeated here: after a time-out nobody knows whether the order arrived.
        """
        ...

    async def fetch(self, transcript_id: str) -> Job:
        """The job and, once it is done, its transcript.

        Raises:
            JobGone: the provider has no such job.
        """
        ...

    async def find(self, audio: Audio, without: Collection[str] = ()) -> str | None:
        """The id of the newest job for this generation of the recording that has not failed.

        Jobs `without` which it is looked for are passed over.
        """
        ...

    async def listed(self, after: Cursor | None = None) -> Page[KnownJob]:
        """The next jobs of the provider's list, the newest first.

        Jobs that were deleted have another URL.
        """
        ...

    async def jobs_below(self, bucket: str, folder: str) -> Sequence[str]:
        """The ids of the recent jobs for recordings below `folder`, failed ones too."""
        ...

    async def delete(self, transcript_id: str) -> bool:
        """Have the provider forget the job and its transcript; whether it was still there.

        Raises:
            Transient: not now; a job that is still running cannot be deleted.
        """
        ...


class JobGone(Exception):
    """The provider does not know the job: deleted, expired, or never there."""
