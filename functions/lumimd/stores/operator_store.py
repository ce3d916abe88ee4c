"""The queries of operators, and below the indexes that these queries need in Firestore.

All filters by equality can be combined, because Firestore merges composite indexes that end in the
same order. One index per filter is therefore enough (all COLLECTION scope):

    visits:      (processingStatus ASC, updatedAt DESC), (userId ASC, updatedAt DESC),
                 (processingStatus ASC, updatedAt ASC)
    deadLetters: (state ASC, lastSeenAt DESC), (stage ASC, lastSeenAt DESC),
                 (code ASC, lastSeenAt DESC), (userId ASC, lastSeenAt DESC)
    entries:     (actor ASC, at DESC), (target ASC, at DESC)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple, TypeVar

from lumimd.domain.codes import ErrorCode
from lumimd.domain.commit import Conflict
from lumimd.domain.dead_letter import DeadLetter, LetterState
from lumimd.domain.document import Document
from lumimd.domain.paths import AUDIT, DEAD_LETTERS, VISITS
from lumimd.domain.visit import ProcessingStatus, Stage, VisitLine
from lumimd.policies.alerting import QUIET_AFTER, STUCK_AFTER
from lumimd.ports.database import Database, Query, Write
from lumimd.ports.paging import Cursor, pages
from lumimd.stores.listing import Listing, itself
from lumimd.stores.shared_documents import SharedDocuments

D = TypeVar("D", bound=Document)

PAGE: Final = 300

RUNNING: Final = (
    ProcessingStatus.PENDING,
    ProcessingStatus.TRANSCRIBING,
    ProcessingStatus.SUMMARIZING,
)


class Mark(NamedTuple):
    """The position of a page's last item: the instant by which the list is ordered, and the id."""

    at: datetime
    id: str


@dataclass(frozen=True)
class VisitFilter:
    """The conditions on visits in a list; None means no condition."""

    status: ProcessingStatus | None = None
    user_id: str | None = None
    updated_since: datetime | None = None


@dataclass(frozen=True)
class LetterFilter:
    """The conditions on dead letters in a list; None means no condition."""

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

    `target` is a visit's id or a queue's name; `before` and `after` are codes and settings, never a
    word of a visit. An entry stays `begun` if the operator's process ended during the action, which
    then may or may not have happened.
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
    """The conditions on audit entries in a list; None means no condition."""

    actor: str | None = None
    target: str | None = None


COMPLETED_FIELDS: Final = {"after", "outcome", "code", "ended_at"}
"""The fields that are added to an entry when the action ends."""


class OperatorStore:
    """Queries over the visits of all users. Lists go from the newest item to the oldest.

    Of a visit, the queries read only the fields of a `VisitLine`, so that its words never leave the
    database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._letters = SharedDocuments(database, DEAD_LETTERS, DeadLetter)

    async def visits(
        self, wanted: VisitFilter, limit: int, after: Mark | None = None
    ) -> Sequence[VisitLine]:
        """Return at most `limit` visits by `updated_at`, after the position `after` (`mark_of`).

        One read per visit.
        """
        query = _where(
            _visits("updatedAt", newest_first=True),
            ("processingStatus", "==", wanted.status),
            ("userId", "==", wanted.user_id),
            ("updatedAt", ">=", wanted.updated_since),
        )
        return await self._filled(VisitLine, query, limit, after)

    async def much_retried(self, at_least: int, limit: int) -> Sequence[VisitLine]:
        """Return at most `limit` visits with `at_least` retries or more, the most retried first."""
        query = _visits("retryCount", newest_first=True).where("retryCount", ">=", at_least)
        return await self._filled(VisitLine, query, limit)

    async def stuck(self, now: datetime, limit: int) -> Sequence[VisitLine]:
        """Return at most `limit` stuck visits, the longest unchanged first.

        A visit is stuck if it is not terminal, has a recording, and is either overdue for
        `STUCK_AFTER` or unchanged for `QUIET_AFTER`. Unchanged visits are read page by page, and
        visits that wait for their recording are skipped.
        """
        overdue = _visits("wakeAt").where("wakeAt", "<=", now - STUCK_AFTER)
        running = _visits("updatedAt").where("processingStatus", "in", RUNNING)
        quiet = running.where("updatedAt", "<=", now - QUIET_AFTER)
        found: dict[str, VisitLine] = {}
        for query in (overdue, quiet):
            seen = 0
            listing = Listing(self._database, VisitLine, query, itself)
            async for page in pages(lambda after, listing=listing: listing.page(PAGE, after)):  # type: ignore[misc]
                stuck = [visit for visit in page.items if is_stuck(visit, now)]
                found |= {visit.visit_id: visit for visit in stuck[: limit - seen]}
                seen += len(stuck)
                if seen >= limit:
                    break
        return sorted(found.values(), key=lambda v: (v.updated_at, v.visit_id))[:limit]

    async def counts(self) -> Mapping[ProcessingStatus, int]:
        """Return the number of visits per status; every status is present.

        One read per thousand visits.
        """
        return {
            status: await self._database.count(
                Query(VISITS).where("processingStatus", "==", status)
            )
            for status in ProcessingStatus
        }

    async def letters(
        self, wanted: LetterFilter, limit: int, after: Mark | None = None
    ) -> Sequence[DeadLetter]:
        """Return at most `limit` dead letters by `last_seen_at`, after the position `after`.

        One read per letter.
        """
        query = _where(
            Query(DEAD_LETTERS, "lastSeenAt", newest_first=True),
            ("stage", "==", wanted.stage),
            ("code", "==", wanted.code),
            ("userId", "==", wanted.user_id),
            ("state", "==", wanted.state),
            ("lastSeenAt", ">=", wanted.since),
        )
        return await self._filled(DeadLetter, query, limit, after)

    async def letter(self, visit_id: str) -> FoundLetter | None:
        """Return the dead letter of the visit, or None. One read."""
        found = await self._letters.get(visit_id)
        return FoundLetter(*found) if found else None

    async def save_letter(self, read: FoundLetter, letter: DeadLetter) -> None:
        """Replace a dead letter by compare-and-set.

        Raises:
            Conflict: the dead letter has changed since the read, or is gone.
        """
        await self._letters.save(letter.visit_id, read.version, letter)

    async def append_audit(self, entry: AuditEntry) -> None:
        """Add a new entry to the audit log.

        Raises:
            Conflict: the entry already exists, and the log is append-only.
        """
        await self._database.commit(Write(f"{AUDIT}/{entry.entry_id}", entry.to_stored(), None))

    async def complete_audit(self, entry: AuditEntry) -> None:
        """Add the outcome to an entry; actor, instant, action and target stay unchanged.

        Raises:
            Conflict: the entry does not exist, or is already complete.
        """
        path = f"{AUDIT}/{entry.entry_id}"
        found = await self._database.get(path)
        if found is None or found.fields["outcome"] != AuditOutcome.BEGUN:
            raise Conflict
        added = entry.model_dump(by_alias=True, include=COMPLETED_FIELDS)
        await self._database.commit(Write(path, added, found.version))

    async def audit(
        self, wanted: AuditFilter, limit: int, after: Mark | None = None
    ) -> Sequence[AuditEntry]:
        """Return at most `limit` audit entries by `at`, after the position `after` (`mark_of`).

        One read per entry.
        """
        query = _where(
            Query(AUDIT, "at", newest_first=True),
            ("actor", "==", wanted.actor),
            ("target", "==", wanted.target),
        )
        return await self._filled(AuditEntry, query, limit, after)

    async def _filled(
        self, kind: type[D], query: Query, limit: int, after: Mark | None = None
    ) -> Sequence[D]:
        listing = Listing(self._database, kind, query, itself)
        cursor = Cursor(after.at, after.id) if after else None
        return [*(await listing.filled(limit, cursor)).items]


def _visits(order: str, *, newest_first: bool = False) -> Query:
    return Query(VISITS, order, newest_first, tuple(VisitLine.stored_fields()))


def _where(query: Query, *conditions: tuple[str, str, Any]) -> Query:
    """Return the query with those conditions that have a value other than None."""
    for condition in conditions:
        if condition[2] is not None:
            query = query.where(*condition)
    return query


def mark_of(item: VisitLine | DeadLetter | AuditEntry) -> Mark:
    """Return the position of `item`, as `after` of the next page."""
    match item:
        case VisitLine():
            return Mark(item.updated_at, item.visit_id)
        case DeadLetter():
            return Mark(item.last_seen_at, item.visit_id)
        case AuditEntry():
            return Mark(item.at, item.entry_id)


def is_stuck(visit: VisitLine, now: datetime) -> bool:
    """Whether the visit should progress and does not (see `OperatorStore.stuck`)."""
    if visit.processing_status.is_terminal or visit.audio is None:
        return False  # the visit is terminal, or waits for its owner
    overdue = visit.wake_at is not None and visit.wake_at <= now - STUCK_AFTER
    return overdue or visit.updated_at <= now - QUIET_AFTER
