"""What operators ask of the documents: queries across visits, dead letters, the audit log."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, NamedTuple, Protocol

from lumimd.domain.dead_letter import DeadLetter, LetterState
from lumimd.domain.document import Document
from lumimd.domain.errors import ErrorCode
from lumimd.domain.visit import ProcessingStatus, Stage
from lumimd.domain.visit_line import VisitLine

OVERDUE_AFTER: Final = timedelta(minutes=5)
"""A visit that is due is looked after within the scheduler's minute; five are no accident."""

QUIET_AFTER: Final = timedelta(minutes=15)
"""No try is put aside for longer than ten minutes; what did not change for fifteen stands still."""

RUNNING: Final = (
    ProcessingStatus.PENDING,
    ProcessingStatus.TRANSCRIBING,
    ProcessingStatus.SUMMARIZING,
)


class Mark(NamedTuple):
    """Where a page of a list ends: the instant that the list is ordered by, then the id."""

    at: datetime
    id: str


@dataclass(frozen=True)
class VisitFilter:
    """Which visits; None means any."""

    status: ProcessingStatus | None = None
    user_id: str | None = None
    updated_since: datetime | None = None


@dataclass(frozen=True)
class LetterFilter:
    """Which dead letters; None means any."""

    stage: Stage | None = None
    code: ErrorCode | None = None
    user_id: str | None = None
    since: datetime | None = None
    state: LetterState | None = LetterState.OPEN


@dataclass(frozen=True)
class FoundLetter:
    """A dead letter as it was read. `version` means something to the store alone."""

    letter: DeadLetter
    version: object


class AuditOutcome(StrEnum):
    """What became of what was begun."""

    BEGUN = "begun"
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"


class AuditEntry(Document):
    """One thing that somebody did, or read, and what it changed.

    `target` is what it was done to (a visit's id, a queue's name), `before` and `after` are codes
    and settings, never a word of a visit. An entry that stays `begun` belongs to somebody whose
    process ended in the middle: it may or may not have been done.
    """

    entry_id: str
    at: datetime
    actor: str
    action: str
    target: str
    reason: str | None = None
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None
    outcome: AuditOutcome = AuditOutcome.BEGUN
    code: str | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True)
class AuditFilter:
    """Which entries; None means any."""

    actor: str | None = None
    target: str | None = None


COMPLETED_FIELDS: Final = {"after", "outcome", "code", "ended_at"}
"""What is added to an entry once it is known what came of it."""


class OperatorStore(Protocol):
    """Queries over everybody's visits. Lists go from the newest to the oldest.

    Every method may raise `Transient`. A document that cannot be read is logged and passed over.
    """

    async def visits(
        self, wanted: VisitFilter, limit: int, after: Mark | None = None
    ) -> Sequence[VisitLine]:
        """At most `limit` visits by `updated_at`; `after` is `mark_of` the page's last one."""
        ...

    async def much_retried(self, at_least: int, limit: int) -> Sequence[VisitLine]:
        """At most `limit` visits that were retried `at_least` so often, the most often first."""
        ...

    async def stuck(self, now: datetime, limit: int) -> Sequence[VisitLine]:
        """At most `limit` visits that ought to move and do not, the longest unchanged first.

        Not at their end, with a recording, and either overdue since `OVERDUE_AFTER` or unchanged
        since `QUIET_AFTER`.
        """
        ...

    async def counts(self) -> Mapping[ProcessingStatus, int]:
        """How many visits there are, by status; every status is there."""
        ...

    async def letters(
        self, wanted: LetterFilter, limit: int, after: Mark | None = None
    ) -> Sequence[DeadLetter]:
        """At most `limit` dead letters by `last_seen_at`; `after` is `mark_of` the last one."""
        ...

    async def letter(self, visit_id: str) -> FoundLetter | None:
        """The dead letter of the visit, or None."""
        ...

    async def save_letter(self, read: FoundLetter, letter: DeadLetter) -> None:
        """Write a dead letter that is still as it was read.

        Raises:
            Conflict: it is not, or is gone.
        """
        ...

    async def append_audit(self, entry: AuditEntry) -> None:
        """Add an entry that does not exist yet.

        Raises:
            Conflict: it exists; nothing in the log is ever written over.
        """
        ...

    async def complete_audit(self, entry: AuditEntry) -> None:
        """Add to an entry what came of it; who, when and what stay as they were written.

        Raises:
            Conflict: there is no such entry, or it is complete already.
        """
        ...

    async def audit(
        self, wanted: AuditFilter, limit: int, after: Mark | None = None
    ) -> Sequence[AuditEntry]:
        """At most `limit` entries by `at`; `after` is `mark_of` the page's last one."""
        ...


def mark_of(item: VisitLine | DeadLetter | AuditEntry) -> Mark:
    """Where a page that ends with `item` ends."""
    match item:
        case VisitLine():
            return Mark(item.updated_at, item.visit_id)
        case DeadLetter():
            return Mark(item.last_seen_at, item.visit_id)
        case AuditEntry():
            return Mark(item.at, item.entry_id)


def is_stuck(visit: VisitLine, now: datetime) -> bool:
    """Whether the visit ought to move and does not."""
    if visit.processing_status.is_terminal or visit.audio is None:
        return False  # at its end, or waiting for its owner
    overdue = visit.wake_at is not None and visit.wake_at <= now - OVERDUE_AFTER
    return overdue or visit.updated_at <= now - QUIET_AFTER
