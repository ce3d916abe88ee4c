"""The operators' queries on Cloud Firestore; the list below has the indexes that they need.

Every equality can be combined with every other one, because Firestore merges composite indexes that
end in the same order. One index per filter is therefore enough (all COLLECTION scope):

    visits:      (processingStatus ASC, updatedAt DESC), (userId ASC, updatedAt DESC),
                 (processingStatus ASC, updatedAt ASC)
    deadLetters: (state ASC, lastSeenAt DESC), (stage ASC, lastSeenAt DESC),
                 (code ASC, lastSeenAt DESC), (userId ASC, lastSeenAt DESC)
    entries:     (actor ASC, at DESC), (target ASC, at DESC)
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar

from google.cloud import firestore
from google.cloud.firestore_v1.base_query import FieldFilter

from lumimd.adapters.firestore.calls import called
from lumimd.adapters.firestore.queries import Listing
from lumimd.adapters.reading import read
from lumimd.domain.commit import Conflict
from lumimd.domain.dead_letter import DeadLetter
from lumimd.domain.document import Document
from lumimd.domain.paths import AUDIT, DEAD_LETTERS, VISITS
from lumimd.domain.visit import ProcessingStatus, VisitLine
from lumimd.policies.alerting import QUIET_AFTER, STUCK_AFTER
from lumimd.ports.operator_store import (
    COMPLETED_FIELDS,
    RUNNING,
    AuditEntry,
    AuditFilter,
    AuditOutcome,
    FoundLetter,
    LetterFilter,
    Mark,
    VisitFilter,
    is_stuck,
)
from lumimd.ports.paging import Cursor, pages

D = TypeVar("D", bound=Document)

PAGE: Final = 300


class FirestoreOperatorStore:
    """Reads only the fields of a `VisitLine` of a visit: its words never leave the database."""

    def __init__(self, client: firestore.AsyncClient) -> None:
        self._client = client

    async def visits(
        self, wanted: VisitFilter, limit: int, after: Mark | None = None
    ) -> Sequence[VisitLine]:
        """At most `limit` visits, newest first. One read per visit."""
        query = _where(
            self._visits(),
            ("processingStatus", "==", wanted.status),
            ("userId", "==", wanted.user_id),
            ("updatedAt", ">=", wanted.updated_since),
        )
        return await _filled(VisitLine, VISITS, query, "updatedAt", limit, after)

    async def much_retried(self, at_least: int, limit: int) -> Sequence[VisitLine]:
        """At most `limit` visits with `at_least` retries or more, the most retried first."""
        query = _where(self._visits(), ("retryCount", ">=", at_least))
        return await _filled(VisitLine, VISITS, query, "retryCount", limit)

    async def stuck(self, now: datetime, limit: int) -> Sequence[VisitLine]:
        """At most `limit` stuck visits, the longest unchanged first.

        There are few overdue visits. Many visits that are unchanged for long may wait for their
        recording; the query reads them page by page and skips them.
        """
        overdue = _where(self._visits(), ("wakeAt", "<=", now - STUCK_AFTER))
        quiet = _where(
            self._visits(),
            ("processingStatus", "in", RUNNING),
            ("updatedAt", "<=", now - QUIET_AFTER),
        )
        found: dict[str, VisitLine] = {}
        for query, order in ((overdue, "wakeAt"), (quiet, "updatedAt")):
            seen = 0
            listing = Listing(VisitLine, VISITS, query, order, _itself)
            async for page in pages(lambda after, listing=listing: listing.page(PAGE, after)):  # type: ignore[misc]
                stuck = [visit for visit in page.items if is_stuck(visit, now)]
                found |= {visit.visit_id: visit for visit in stuck[: limit - seen]}
                seen += len(stuck)
                if seen >= limit:
                    break
        return sorted(found.values(), key=lambda v: (v.updated_at, v.visit_id))[:limit]

    async def counts(self) -> Mapping[ProcessingStatus, int]:
        """The number of visits per status. One read per thousand visits."""
        counted: dict[ProcessingStatus, int] = {}
        for status in ProcessingStatus:
            query = _where(self._client.collection(VISITS), ("processingStatus", "==", status))
            results = await called(_counting(query))
            counted[status] = int(results[0][0].value)
        return counted

    async def letters(
        self, wanted: LetterFilter, limit: int, after: Mark | None = None
    ) -> Sequence[DeadLetter]:
        """At most `limit` dead letters, newest first. One read per letter."""
        query = _where(
            self._client.collection(DEAD_LETTERS),
            ("stage", "==", wanted.stage),
            ("code", "==", wanted.code),
            ("userId", "==", wanted.user_id),
            ("state", "==", wanted.state),
            ("lastSeenAt", ">=", wanted.since),
        )
        return await _filled(DeadLetter, DEAD_LETTERS, query, "lastSeenAt", limit, after)

    async def letter(self, visit_id: str) -> FoundLetter | None:
        """The dead letter of the visit, or None. One read."""
        reference = self._client.document(f"{DEAD_LETTERS}/{visit_id}")
        found = await called(lambda: reference.get(retry=None))
        stored = found.to_dict()
        if not stored:
            return None
        return FoundLetter(read(DeadLetter, DEAD_LETTERS, visit_id, stored), found.update_time)

    async def save_letter(self, read: FoundLetter, letter: DeadLetter) -> None:
        """Replace a dead letter by compare-and-set; raises Conflict if it has changed."""
        reference = self._client.document(f"{DEAD_LETTERS}/{letter.visit_id}")
        await self._update(reference, letter.to_stored(), read.version)

    async def append_audit(self, entry: AuditEntry) -> None:
        """Add an entry; raises Conflict if it exists."""
        batch = self._client.batch()
        batch.create(self._client.document(f"{AUDIT}/{entry.entry_id}"), entry.to_stored())
        await called(lambda: batch.commit(retry=None))

    async def complete_audit(self, entry: AuditEntry) -> None:
        """Add the outcome to an entry; raises Conflict if it is missing or complete."""
        reference = self._client.document(f"{AUDIT}/{entry.entry_id}")
        found = await called(lambda: reference.get(retry=None))
        if not found.exists or found.get("outcome") != AuditOutcome.BEGUN:
            raise Conflict
        added = entry.model_dump(by_alias=True, include=COMPLETED_FIELDS)
        await self._update(reference, added, found.update_time)

    async def audit(
        self, wanted: AuditFilter, limit: int, after: Mark | None = None
    ) -> Sequence[AuditEntry]:
        """At most `limit` entries, newest first. One read per entry."""
        query = _where(
            self._client.collection(AUDIT),
            ("actor", "==", wanted.actor),
            ("target", "==", wanted.target),
        )
        return await _filled(AuditEntry, AUDIT, query, "at", limit, after)

    def _visits(self) -> Any:
        return self._client.collection(VISITS).select(VisitLine.stored_fields())

    async def _update(self, reference: Any, fields: dict[str, Any], version: object) -> None:
        batch = self._client.batch()
        batch.update(reference, fields, option=self._client.write_option(last_update_time=version))
        await called(lambda: batch.commit(retry=None))


async def _filled(
    kind: type[D], collection: str, query: Any, order: str, limit: int, after: Mark | None = None
) -> Sequence[D]:
    """The page of `query` after `after`, newest first."""
    listing = Listing(kind, collection, query, order, _itself, newest_first=True)
    cursor = Cursor(after.at, after.id) if after else None
    return [*(await listing.filled(limit, cursor)).items]


def _itself(document: D, _snapshot: Any) -> D:
    return document


def _counting(query: Any) -> Callable[[], Any]:
    return lambda: query.count().get(retry=None)


def _where(query: Any, *conditions: tuple[str, str, Any]) -> Any:
    """The query with the conditions that are not None."""
    for field, operator, value in conditions:
        if value is not None:
            query = query.where(filter=FieldFilter(field, operator, value))
    return query
