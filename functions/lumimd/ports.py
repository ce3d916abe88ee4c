"""The ports of the pipeline, as roles. Their adapters are in `adapters/`.

Every method may raise `Transient` (try again later) and `Permanent` (it will not get better); other
errors are named. A method that returns one document raises `UnreadableDocument` where that cannot
be read; one that returns many logs it and passes it over. Each port has one contract suite in
`tests/contract`, which the memory adapter and the real one both pass.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

from lumimd.audio import Audio, Upload
from lumimd.clinical import Source, VisitSummary
from lumimd.commit import Commit, Stored, StoredAction
from lumimd.dead_letter import DeadLetter
from lumimd.errors import BadAnswer, ErrorCode
from lumimd.queries import Cursor, Page
from lumimd.records import Action, Deletion, HistoryEntry, Hold, Visit
from lumimd.transcript import Transcript, Utterance


class Clock(Protocol):
    """The time of day; passed in, so that a week can be simulated in seconds."""

    def now(self) -> datetime:
        """The present instant, in UTC."""
        ...


class VisitStore(Protocol):
    """The documents. Every save is conditional on the version that was read."""

    async def get(self, visit_id: str) -> Stored | None:
        """The visit, or None."""
        ...

    async def create(self, commit: Commit) -> Stored:
        """Write a visit that does not exist yet.

        Raises:
            Conflict: it exists, or was deleted.
        """
        ...

    async def save(self, read: Stored, commit: Commit) -> Stored:
        """Write a visit that is still as it was `read`.

        Raises:
            Conflict: it is not, or is gone.
        """
        ...

    async def due(self, now: datetime, limit: int, after: Cursor | None = None) -> Page[Stored]:
        """The next `limit` visits with `wake_at <= now`, the longest overdue first."""
        ...

    async def overdue(self, now: datetime, limit: int, after: Cursor | None = None) -> Page[Stored]:
        """The next `limit` visits with `overdue_at <= now`, the longest overdue first."""
        ...

    async def transcript(self, visit_id: str) -> tuple[Utterance, ...]:
        """The stored utterances in order; empty when there are none.

        Raises:
            UnreadableDocument: of any page; a part of a transcript is none.
        """
        ...

    async def history(self, visit_id: str) -> tuple[HistoryEntry, ...]:
        """The timeline in order."""
        ...

    async def actions(self, visit_id: str) -> tuple[Action, ...]:
        """The action items of a visit, in order of their ids."""
        ...

    async def stored_actions(self, visit_id: str) -> Sequence[StoredAction]:
        """The same with the versions that a save may ask for."""
        ...

    async def dead_letter(self, visit_id: str) -> DeadLetter | None:
        """Why the visit failed, or None."""
        ...


class Archive(Protocol):
    """The visits by age, page by page, the oldest first: for retention and reconciliation."""

    async def with_audio(
        self, created_before: datetime, limit: int, after: Cursor | None = None
    ) -> Page[Stored]:
        """The next `limit` visits so old on which no erasure of the recording is on record."""
        ...

    async def between(
        self, created_after: datetime, before: datetime, limit: int, after: Cursor | None = None
    ) -> Page[Stored]:
        """The next `limit` visits that were created in that time."""
        ...

    async def waiting(
        self, created_before: datetime, limit: int, after: Cursor | None = None
    ) -> Page[Stored]:
        """The next `limit` visits so old that are still `pending`."""
        ...

    async def older(
        self, created_before: datetime, limit: int, after: Cursor | None = None
    ) -> Page[Stored]:
        """The next `limit` visits so old."""
        ...


class Deletions(Protocol):
    """The receipts of deletions, and what the store has to forget for them.

    Every save is conditional on the version that was read.
    """

    async def get(self, visit_id: str) -> tuple[Deletion, object] | None:
        """The receipt and its version; None where nothing was deleted."""
        ...

    async def begin(self, read: Stored, deletion: Deletion, again: object = None) -> None:
        """Delete the visit, still as it was `read`, and note the deletion in the same commit.

        `again` is the version of the receipt of an earlier deletion, whose place this one takes.

        Raises:
            Conflict: the visit or the earlier receipt is not as it was, or the visit is held.
        """
        ...

    async def create(self, deletion: Deletion) -> None:
        """Write a receipt of what never was a visit.

        Raises:
            Conflict: there is a receipt of that id.
        """
        ...

    async def save(self, read_version: object, deletion: Deletion) -> None:
        """Write a receipt that is still as it was read.

        Raises:
            Conflict: it is not.
        """
        ...

    async def due(self, now: datetime, limit: int, after: Cursor | None = None) -> Page[Deletion]:
        """The next `limit` deletions with `wake_at <= now`, the longest overdue first."""
        ...

    async def since(
        self, requested_at: datetime, limit: int, after: Cursor | None = None
    ) -> Page[Deletion]:
        """The next `limit` deletions that were requested then or later, the oldest first."""
        ...

    async def hold_of(self, visit_id: str) -> Hold | None:
        """The mark of the legal hold of a visit, or None."""
        ...

    async def holds(self, limit: int, after: Cursor | None = None) -> Page[Hold]:
        """The next `limit` marks of legal holds, the oldest first."""
        ...

    async def visits_of(self, user_id: str, limit: int, after: Cursor | None = None) -> Page[Visit]:
        """The next `limit` visits of a user, the newest first."""
        ...

    async def visits_named(
        self, user_id: str, limit: int, after: Cursor | None = None
    ) -> Page[str]:
        """The visits that the next `limit` action items of a user belong to, the newest first."""
        ...

    async def remains(self, visit_id: str) -> bool:
        """Whether there are documents of a visit, apart from the visit itself."""
        ...

    async def erase(self, visit_id: str) -> dict[str, int]:
        """Delete all documents of a visit that is gone itself; how many of each kind.

        The kinds: `transcript`, `history`, `actions`, `deadLetters`.
        """
        ...


class TaskQueue(Protocol):
    """Work handed to another invocation."""

    async def request_summary(self, visit_id: str, attempt: int, request: int) -> None:
        """Have `summarize_visit` called with these ids. The same three ids are the same task."""
        ...

    async def forget(self, visit_id: str, attempt: int, request: int) -> bool:
        """Delete the task of these ids; whether it was still there."""
        ...


class AudioStore(Protocol):
    """The recordings."""

    async def measure(self, audio: Audio) -> Audio:
        """`audio` with its duration, read from the recording itself; None where that is too costly.

        Raises:
            MeasuringDied: the process that had opened it is gone.
            Permanent: `audio_missing`, `audio_unreadable`, `audio_truncated`, `audio_too_short`
                or `audio_too_long`.
        """
        ...

    async def signed_url(self, audio: Audio, valid_for: timedelta) -> str:
        """A URL that leads to this generation of the recording and expires."""
        ...

    async def has(self, bucket: str, folder: str) -> bool:
        """Whether there is anything below `folder`, which ends with a slash."""
        ...

    async def uploads(
        self, bucket: str, since: datetime, after: Cursor | None = None
    ) -> Page[Upload]:
        """Of the next objects of the bucket, the recordings that were uploaded since then.

        `announced_at` is when they were. A page without any says nothing of those that follow.
        """
        ...

    async def hold(self, bucket: str, folder: str, *, held: bool) -> int:
        """Put everything below `folder` under object hold, or end that; how many objects.

        An object under hold is neither deleted nor replaced, by anybody or any rule of the bucket.
        """
        ...

    async def erase(self, bucket: str, folder: str, up_to: int | None = None) -> int:
        """Delete everything below `folder` (which ends with a slash); how many objects.

        `up_to`: only what is of that generation, or older.

        Raises:
            Transient: something is under object hold; all the rest is deleted.
        """
        ...


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


class Summarizer(Protocol):
    """Whoever can tell what was said in a visit."""

    source: Source

    async def summarize(self, transcript: Transcript) -> VisitSummary:
        """The structured summary, as far as it could be read.

        Raises:
            BadAnswer: the model was paid, and its answer is no summary.
            NotCharged: the request was refused before any work; there will be none.
            Permanent: there will be none of this transcript, and it was paid for.
            Unanswered: there may be one later, and this call may have been paid for.
            ProviderRefuses: the provider refuses this deployment.
            Transient: there may be one later.
        """
        ...


@runtime_checkable
class AskedAgain(Protocol):
    """A summarizer that is asked in another way after a bad answer."""

    def after(self, bad: BadAnswer) -> Summarizer:
        """The summarizer for the second ask."""
        ...
