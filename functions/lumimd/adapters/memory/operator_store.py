"""The operators' queries over a memory store, which also holds dead letters and audit entries."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from lumimd.adapters.memory.queries import equal
from lumimd.adapters.memory.visit_store import MemoryVisitStore
from lumimd.adapters.reading import readable
from lumimd.domain.commit import Conflict
from lumimd.domain.dead_letter import DeadLetter
from lumimd.domain.paths import AUDIT, DEAD_LETTERS, VISITS
from lumimd.domain.visit import ProcessingStatus, VisitLine
from lumimd.ports.operator_store import (
    COMPLETED_FIELDS,
    AuditEntry,
    AuditFilter,
    AuditOutcome,
    FoundLetter,
    LetterFilter,
    Mark,
    VisitFilter,
    is_stuck,
    mark_of,
)

T = TypeVar("T", VisitLine, DeadLetter, AuditEntry)


class MemoryOperatorStore:
    """Reads and writes the documents of `store`."""

    def __init__(self, store: MemoryVisitStore) -> None:
        self._store, self._documents = store, store.raw

    async def visits(
        self, wanted: VisitFilter, limit: int, after: Mark | None = None
    ) -> Sequence[VisitLine]:
        """At most `limit` visits, newest first."""
        found = [
            visit
            for visit in await self._visits()
            if wanted.status in (None, visit.processing_status)
            and wanted.user_id in (None, visit.user_id)
            and (wanted.updated_since is None or visit.updated_at >= wanted.updated_since)
        ]
        return _page(found, limit, after)

    async def much_retried(self, at_least: int, limit: int) -> Sequence[VisitLine]:
        """At most `limit` visits with `at_least` retries or more, the most retried first."""
        found = [visit for visit in await self._visits() if visit.retry_count >= at_least]
        return sorted(found, key=lambda v: (v.retry_count, v.visit_id), reverse=True)[:limit]

    async def stuck(self, now: datetime, limit: int) -> Sequence[VisitLine]:
        """At most `limit` stuck visits, the longest unchanged first."""
        found = [visit for visit in await self._visits() if is_stuck(visit, now)]
        return sorted(found, key=lambda v: (v.updated_at, v.visit_id))[:limit]

    async def counts(self) -> Mapping[ProcessingStatus, int]:
        """The number of visits per status."""
        await asyncio.sleep(0)
        visits = [visit for _, visit in self._documents.under(VISITS)]
        return {
            status: sum(equal(visit, processingStatus=status) for visit in visits)
            for status in ProcessingStatus
        }

    async def letters(
        self, wanted: LetterFilter, limit: int, after: Mark | None = None
    ) -> Sequence[DeadLetter]:
        """At most `limit` dead letters, newest first."""
        letters = await self._under(DeadLetter, DEAD_LETTERS)
        found = [
            letter
            for letter in letters
            if wanted.stage in (None, letter.stage)
            and wanted.code in (None, letter.code)
            and wanted.user_id in (None, letter.user_id)
            and wanted.state in (None, letter.state)
            and (wanted.since is None or letter.last_seen_at >= wanted.since)
        ]
        return _page(found, limit, after)

    async def letter(self, visit_id: str) -> FoundLetter | None:
        """The dead letter of the visit, or None."""
        letter = await self._store.dead_letter(visit_id)
        return (
            FoundLetter(letter, self._documents[f"{DEAD_LETTERS}/{visit_id}"]) if letter else None
        )

    async def save_letter(self, read: FoundLetter, letter: DeadLetter) -> None:
        """Replace a dead letter by compare-and-set; raises Conflict if it has changed."""
        await asyncio.sleep(0)
        path = f"{DEAD_LETTERS}/{letter.visit_id}"
        if self._documents.get(path) != read.version:
            raise Conflict
        self._documents[path] = letter.to_stored()

    async def append_audit(self, entry: AuditEntry) -> None:
        """Add an entry; raises Conflict if it exists."""
        await asyncio.sleep(0)
        path = f"{AUDIT}/{entry.entry_id}"
        if path in self._documents:
            raise Conflict
        self._documents[path] = entry.to_stored()

    async def complete_audit(self, entry: AuditEntry) -> None:
        """Add the outcome to an entry; raises Conflict if it is missing or complete."""
        await asyncio.sleep(0)
        path = f"{AUDIT}/{entry.entry_id}"
        found = self._documents.get(path)
        if found is None or not equal(found, outcome=AuditOutcome.BEGUN):
            raise Conflict
        added = entry.model_dump(by_alias=True, include=COMPLETED_FIELDS)
        self._documents[path] = {**found, **added}

    async def audit(
        self, wanted: AuditFilter, limit: int, after: Mark | None = None
    ) -> Sequence[AuditEntry]:
        """At most `limit` entries, newest first."""
        entries = await self._under(AuditEntry, AUDIT)
        found = [
            entry
            for entry in entries
            if wanted.actor in (None, entry.actor) and wanted.target in (None, entry.target)
        ]
        return _page(found, limit, after)

    async def _visits(self) -> Sequence[VisitLine]:
        return await self._under(VisitLine, VISITS)

    async def _under(self, kind: type[T], collection: str) -> Sequence[T]:
        await asyncio.sleep(0)  # like a real read, yields to other tasks
        found = self._documents.under(collection)
        named = ((path.rpartition("/")[2], document, None) for path, document in found)
        return [document for document, _ in readable(kind, collection, named)[0]]


def _page(found: Iterable[T], limit: int, after: Mark | None) -> list[T]:
    newest_first = sorted(found, key=mark_of, reverse=True)
    return [each for each in newest_first if after is None or mark_of(each) < after][:limit]
