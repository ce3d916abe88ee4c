"""A provider of transcripts with speaker labels."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from lumimd.domain.audio import Audio, AudioLimits
from lumimd.domain.codes import ErrorCode
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
    """The job ended with an error. `is_transient`: another try may succeed."""

    code: ErrorCode
    is_transient: bool


@dataclass(frozen=True)
class Job:
    """A transcription job as the provider knows it. `audio_url` is the URL of the order."""

    transcript_id: str
    audio_url: str
    state: Running | Transcribed | Failed


@dataclass(frozen=True)
class KnownJob:
    """A job in the provider's list; `ordered_at` if the list has it."""

    transcript_id: str
    audio_url: str
    is_over: bool
    ordered_at: datetime | None = None


class Transcriber(Protocol):
    """A provider of transcripts with speaker labels."""

    provider: str

    limits: AudioLimits
    """The recordings that the provider accepts."""

    async def submit(self, audio_url: str, *, visit_id: str, attempt: int) -> str:
        """Order a transcript and return the job's id. The provider bills this call.

        Not idempotent and billed: adapters must not retry; after a timeout the outcome is unknown.
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

        Jobs in `without` are skipped.
        """
        ...

    async def listed(self, after: Cursor | None = None) -> Page[KnownJob]:
        """The next jobs of the provider's list, the newest first.

        Deleted jobs have another URL.
        """
        ...

    async def jobs_below(self, bucket: str, folder: str) -> Sequence[str]:
        """The ids of the recent jobs for recordings below `folder`, including failed ones."""
        ...

    async def delete(self, transcript_id: str) -> bool:
        """Delete the job and its transcript at the provider; whether it still existed.

        Raises:
            Transient: try again later; the provider does not delete a running job.
        """
        ...


class JobGone(Exception):
    """The provider does not know the job: deleted, expired, or never ordered."""
