"""Queries and writes of operators: visits of all users, dead letters, the audit log."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple, Protocol

from lumimd.domain.codes import ErrorCode
from lumimd.domain.dead_letter import DeadLetter, LetterState
from lumimd.domain.document import Document
from lumimd.domain.visit import ProcessingStatus, Stage, VisitLine
from lumimd.policies.alerting import QUIET_AFTER, STUCK_AFTER

RUNNING: Final = (
    ProcessingStatus.PENDING,
    ProcessingStatus.TRANSCRIBING,
    ProcessingStatus.SUMMARIZING,
)


class Mark(NamedTuple):
    """The end of a page: the instant by which the list is ordered, then the id."""

    at: datetime
    id: str


@dataclass(frozen=True)
class VisitFilter:
    """Conditions on visits; None means any."""

    status: ProcessingStatus | None = None
    user_id: str | None = None
    updated_since: datetime | None = None


@dataclass(frozen=True)
class LetterFilter:
    """Conditions on dead letters; None means any."""

    stage: Stage | None = None
    code: ErrorCode | None = None
    user_id: str | None = None
    since: datetime | None = None
    state: LetterState | None = LetterState.OPEN


@dataclass(frozen=True)
class FoundLetter:
    """A dead letter as it was read. Only the store interprets `version`."""

    letter: DeadLetter
    version: object


class AuditOutcome(StrEnum):
    """The outcome of an audited action."""

    BEGUN = "begun"
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"


class AuditEntry(Document):
    """One audited action or read by an operator, and its effect.

    `target` is a visit's id or a queue's name; `before` and `after` are codes and settings, never
    a word of a visit. An entry stays `begun` if the operator's process ended in the middle: the
    action may or may not have happened.
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
    """Conditions on entries; None means any."""

    actor: str | None = None
    target: str | None = None


COMPLETED_FIELDS: Final = {"after", "outcome", "code", "ended_at"}
"""The fields that are added to an entry when the action ends."""


class OperatorStore(Protocol):
    """Queries over the visits of all users. Lists go from the newest to the oldest.

    Every method may raise `Transient`. An unreadable document is logged and skipped.
    """

    async def visits(
        self, wanted: VisitFilter, limit: int, after: Mark | None = None
    ) -> Sequence[VisitLine]:
        """At most `limit` visits by `updated_at`; `after` is `mark_of` the last one of the page."""
        ...

    async def much_retried(self, at_least: int, limit: int) -> Sequence[VisitLine]:
        """At most `limit` visits with `at_least` retries or more, the most retried first."""
        ...

    async def stuck(self, now: datetime, limit: int) -> Sequence[VisitLine]:
        """At most `limit` stuck visits, the longest unchanged first.

        A visit is stuck if it is not terminal, has a recording, and is either overdue for
        `OVERDUE_AFTER` or unchanged for `QUIET_AFTER`.
        """
        ...

    async def counts(self) -> Mapping[ProcessingStatus, int]:
        """The number of visits per status; every status is present."""
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
        """Replace a dead letter by compare-and-set.

        Raises:
            Conflict: it has changed since the read, or is gone.
        """
        ...

    async def append_audit(self, entry: AuditEntry) -> None:
        """Add a new entry.

        Raises:
            Conflict: the entry exists; the log is append-only.
        """
        ...

    async def complete_audit(self, entry: AuditEntry) -> None:
        """Add the outcome to an entry; actor, instant, action and target stay as they are.

        Raises:
            Conflict: there is no such entry, or it is already complete.
        """
        ...

    async def audit(
        self, wanted: AuditFilter, limit: int, after: Mark | None = None
    ) -> Sequence[AuditEntry]:
        """At most `limit` entries by `at`; `after` is `mark_of` the last one of the page."""
        ...


def mark_of(item: VisitLine | DeadLetter | AuditEntry) -> Mark:
    """The end of a page that ends with `item`."""
    match item:
        case VisitLine():
            return Mark(item.updated_at, item.visit_id)
        case DeadLetter():
            return Mark(item.last_seen_at, item.visit_id)
        case AuditEntry():
            return Mark(item.at, item.entry_id)


def is_stuck(visit: VisitLine, now: datetime) -> bool:
    """Whether the visit is stuck: it should progress and does not."""
    if visit.processing_status.is_terminal or visit.audio is None:
        return False  # terminal, or waiting for its owner
    overdue = visit.wake_at is not None and visit.wake_at <= now - STUCK_AFTER
    return overdue or visit.updated_at <= now - QUIET_AFTER
