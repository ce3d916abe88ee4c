"""The receipts of deletions over the visits in memory."""

import asyncio
from datetime import datetime
from typing import Any

from lumimd.adapters.memory.queries import Listing, equal, until
from lumimd.adapters.memory.visit_store import MemoryVisitStore
from lumimd.adapters.reading import read
from lumimd.domain.commit import Conflict, Stored
from lumimd.domain.paths import (
    ACTIONS,
    DEAD_LETTERS,
    DELETIONS,
    HOLDS,
    VISITS,
    history_path,
    transcript_path,
    visit_path,
)
from lumimd.domain.visit import Deletion, Hold, OfVisit, Visit
from lumimd.ports.paging import Cursor, Page


class MemoryDeletions:
    """One receipt per visit, under the visit's id."""

    def __init__(self, store: MemoryVisitStore) -> None:
        self._store = store

    async def get(self, visit_id: str) -> tuple[Deletion, object] | None:
        """The receipt and its version."""
        await asyncio.sleep(0)
        path = f"{DELETIONS}/{visit_id}"
        if path not in self._store.raw:
            return None
        receipt = read(Deletion, DELETIONS, visit_id, self._store.raw[path])
        return receipt, self._store.raw.version(path)

    async def begin(self, read: Stored, deletion: Deletion, again: object = None) -> None:
        """Delete the visit and write the receipt, both or neither; neither under a legal hold."""
        await asyncio.sleep(0)
        raw = self._store.raw
        visit, receipt = visit_path(deletion.visit_id), f"{DELETIONS}/{deletion.visit_id}"
        is_as_read = raw.version(visit) == read.version and raw.version(receipt) == again
        if not is_as_read or f"{HOLDS}/{deletion.visit_id}" in raw:
            raise Conflict
        del self._store.raw[visit]
        self._store.raw[receipt] = deletion.to_stored()

    async def create(self, deletion: Deletion) -> None:
        """Write a receipt that belongs to no visit."""
        await asyncio.sleep(0)
        path = f"{DELETIONS}/{deletion.visit_id}"
        if path in self._store.raw:
            raise Conflict
        self._store.raw[path] = deletion.to_stored()

    async def save(self, read_version: object, deletion: Deletion) -> None:
        """Replace a receipt by compare-and-set."""
        await asyncio.sleep(0)
        path = f"{DELETIONS}/{deletion.visit_id}"
        if self._store.raw.version(path) != read_version:
            raise Conflict
        self._store.raw[path] = deletion.to_stored()

    async def due(self, now: datetime, limit: int, after: Cursor | None = None) -> Page[Deletion]:
        """The next `limit` deletions with `wake_at <= now`, the longest overdue first."""
        await asyncio.sleep(0)
        return Listing(
            self._store.raw,
            Deletion,
            DELETIONS,
            "wakeAt",
            lambda receipt, _: receipt,
            until("wakeAt", now),
        ).page(limit, after)

    async def since(
        self, requested_at: datetime, limit: int, after: Cursor | None = None
    ) -> Page[Deletion]:
        """The next `limit` deletions requested at `requested_at` or later, the oldest first."""
        await asyncio.sleep(0)

        def is_newer(stored: dict[str, Any]) -> bool:
            at = stored.get("requestedAt")
            return isinstance(at, datetime) and at >= requested_at

        return Listing(
            self._store.raw,
            Deletion,
            DELETIONS,
            "requestedAt",
            lambda receipt, _: receipt,
            is_newer,
        ).page(limit, after)

    async def hold_of(self, visit_id: str) -> Hold | None:
        """The mark of the legal hold of a visit, or None."""
        await asyncio.sleep(0)
        found = self._store.raw.get(f"{HOLDS}/{visit_id}")
        return None if found is None else read(Hold, HOLDS, visit_id, found)

    async def holds(self, limit: int, after: Cursor | None = None) -> Page[Hold]:
        """The next `limit` marks of legal holds, the oldest first."""
        await asyncio.sleep(0)
        raw = self._store.raw
        return Listing(raw, Hold, HOLDS, "heldAt", lambda hold, _: hold).page(limit, after)

    async def visits_of(self, user_id: str, limit: int, after: Cursor | None = None) -> Page[Visit]:
        """The next `limit` visits of a user, the newest first."""
        await asyncio.sleep(0)
        return Listing(
            self._store.raw,
            Visit,
            VISITS,
            "createdAt",
            lambda visit, _: visit,
            lambda stored: equal(stored, userId=user_id),
            newest_first=True,
        ).page(limit, after)

    async def visits_named(
        self, user_id: str, limit: int, after: Cursor | None = None
    ) -> Page[str]:
        """The visits of the next `limit` action items of a user, the newest first."""
        await asyncio.sleep(0)
        return Listing(
            self._store.raw,
            OfVisit,
            ACTIONS,
            "createdAt",
            lambda item, _: item.visit_id,
            lambda stored: equal(stored, userId=user_id),
            newest_first=True,
        ).page(limit, after)

    async def remains(self, visit_id: str) -> bool:
        """Whether any document of a visit exists, apart from the visit itself."""
        await asyncio.sleep(0)
        return any(self._documents_of(visit_id).values())

    async def erase(self, visit_id: str) -> dict[str, int]:
        """Delete all documents of a visit; the number of each kind."""
        await asyncio.sleep(0)
        paths = self._documents_of(visit_id)
        for path in (path for kind in paths.values() for path in kind):
            del self._store.raw[path]
        return {kind: len(found) for kind, found in paths.items()}

    def _documents_of(self, visit_id: str) -> dict[str, list[str]]:
        raw = self._store.raw
        letter = f"{DEAD_LETTERS}/{visit_id}"
        return {
            "transcript": [path for path, _ in raw.under(transcript_path(visit_id))],
            "history": [path for path, _ in raw.under(history_path(visit_id))],
            "actions": [path for path, a in raw.under(ACTIONS) if equal(a, visitId=visit_id)],
            "deadLetters": [letter] if letter in raw else [],
        }
