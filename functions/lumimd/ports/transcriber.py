"""The port to a provider of transcripts with speaker labels."""

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
    """The job is queued or in progress."""


@dataclass(frozen=True)
class Transcribed:
    """The job is done. Its transcript may have no words."""

    transcript: Transcript


@dataclass(frozen=True)
class Failed:
    """The job ended with an error. `is_transient` means that a retry may succeed."""

    code: ErrorCode
    is_transient: bool


@dataclass(frozen=True)
class Job:
    """A transcription job as the provider knows it; `audio_url` is the submitted URL."""

    transcript_id: str
    audio_url: str
    state: Running | Transcribed | Failed


@dataclass(frozen=True)
class KnownJob:
    """A job in the provider's list; `ordered_at` is None if the list has no times."""

    transcript_id: str
    audio_url: str
    is_over: bool
    ordered_at: datetime | None = None


class Transcriber(Protocol):
    """A provider of transcripts with speaker labels."""

    provider: str

    limits: AudioLimits
    """The limits of the recordings that the provider accepts."""

    async def submit(self, audio_url: str, *, visit_id: str, attempt: int) -> str:
        """Submit a paid job and return its id.

        The provider bills this call, and the call is not idempotent: adapters must not retry it.
        After a timeout the outcome is unknown.
        """
        ...

    async def fetch(self, transcript_id: str) -> Job:
        """Return the job and, once the job is done, its transcript.

        Raises:
            JobGone: the provider does not know the job.
        """
        ...

    async def find(self, audio: Audio, without: Collection[str] = ()) -> str | None:
        """Return the id of the newest job for this recording's generation that has not failed.

        Jobs in `without` are skipped.
        """
        ...

    async def listed(self, after: Cursor | None = None) -> Page[KnownJob]:
        """Return the next jobs of the provider's list, with the newest job first.

        A deleted job is listed with a URL that is not the submitted URL.
        """
        ...

    async def jobs_below(self, bucket: str, folder: str) -> Sequence[str]:
        """Return the ids of recent jobs, failed or not, for recordings below `folder`."""
        ...

    async def delete(self, transcript_id: str) -> bool:
        """Delete the job and its transcript, and return whether the job still existed.

        Raises:
            Transient: a later retry may succeed; the provider does not delete a running job.
        """
        ...


class JobGone(Exception):
    """The provider does not know the job: it was deleted, has expired, or was never submitted."""
