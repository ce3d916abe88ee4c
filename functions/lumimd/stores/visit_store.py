"""The store of visits, transcripts, history and action items. Every write is one commit."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from lumimd.domain.commit import Commit, Stored, StoredAction
from lumimd.domain.dead_letter import DeadLetter
from lumimd.domain.paths import (
    ACTIONS,
    DEAD_LETTERS,
    DELETIONS,
    HISTORY,
    TRANSCRIPT,
    VISITS,
    history_path,
    transcript_path,
    visit_path,
)
from lumimd.domain.transcript import TranscriptPage, Utterance, joined
from lumimd.domain.visit import Action, HistoryEntry, Visit
from lumimd.ports.database import ANY_VERSION, Database, Query, Write
from lumimd.ports.paging import Cursor, Page
from lumimd.stores.listing import Listing, stored
from lumimd.stores.reading import read, readable


class VisitStore:
    """The visit documents. Every save is a compare-and-set on the version that was read."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def get(self, visit_id: str) -> Stored | None:
        """Return the visit, or None. One read."""
        found = await self.database.get(visit_path(visit_id))
        return stored(read(Visit, VISITS, visit_id, found.fields), found) if found else None

    async def create(self, commit: Commit) -> Stored:
        """Write a new visit.

        The commit also deletes the deletion receipt on the precondition that no receipt exists. So
        it deletes nothing, and fails if a receipt exists, in one request and without a transaction.

        Raises:
            Conflict: the visit exists, or was deleted.
        """
        receipt = Write(f"{DELETIONS}/{commit.visit.visit_id}", None, if_version=None)
        return await self._write(commit, None, receipt)

    async def save(self, read: Stored, commit: Commit) -> Stored:
        """Replace a visit by compare-and-set.

        Raises:
            Conflict: the visit has changed since the read, or is gone.
        """
        return await self._write(commit, read.version)

    async def due(self, now: datetime, limit: int, after: Cursor | None = None) -> Page[Stored]:
        """Return the next `limit` visits with `wake_at <= now`, the longest overdue first."""
        return await self._until("wakeAt", now, limit, after)

    async def overdue(self, now: datetime, limit: int, after: Cursor | None = None) -> Page[Stored]:
        """Return the next `limit` visits with `overdue_at <= now`, the longest overdue first."""
        return await self._until("overdueAt", now, limit, after)

    async def transcript(self, visit_id: str) -> tuple[Utterance, ...]:
        """Return the stored utterances in order; empty if there are none. One read per page.

        Raises:
            UnreadableDocument: a page is unreadable; an incomplete transcript is never returned.
        """
        return joined(
            read(TranscriptPage, TRANSCRIPT, name, page)
            for name, page in await self._below(visit_id, transcript_path(visit_id))
        )

    async def history(self, visit_id: str) -> tuple[HistoryEntry, ...]:
        """Return the history of the visit in order. One read per entry."""
        found = await self._below(visit_id, history_path(visit_id))
        named = ((name, entry, None) for name, entry in found)
        entries, _ = readable(HistoryEntry, HISTORY, named)
        return tuple(entry for entry, _ in entries)

    async def actions(self, visit_id: str) -> tuple[Action, ...]:
        """Return the action items of a visit, in the order of their ids. One read per item."""
        return tuple(each.action for each in await self.stored_actions(visit_id))

    async def stored_actions(self, visit_id: str) -> tuple[StoredAction, ...]:
        """Return the action items of a visit with their versions, for a compare-and-set.

        One read per item.
        """
        query = Query(ACTIONS).where("visitId", "==", visit_id)
        found = await self.database.find(query)
        named = ((each.id, each.fields, each.version) for each in found)
        actions, _ = readable(Action, ACTIONS, named)
        return tuple(StoredAction(*each) for each in actions)

    async def dead_letter(self, visit_id: str) -> DeadLetter | None:
        """Return the dead letter of a failed visit, or None. One read."""
        found = await self.database.get(f"{DEAD_LETTERS}/{visit_id}")
        return read(DeadLetter, DEAD_LETTERS, visit_id, found.fields) if found else None

    async def _until(
        self, field: str, now: datetime, limit: int, after: Cursor | None
    ) -> Page[Stored]:
        query = Query(VISITS, field).where(field, "<=", now)
        return await Listing(self.database, Visit, query, stored).page(limit, after)

    async def _below(self, visit_id: str, collection: str) -> Iterable[tuple[str, dict[str, Any]]]:
        """Return the documents of a visit's collection, each with its name in the log."""
        found = await self.database.find(Query(collection))
        return ((f"{visit_id}/{each.id}", each.fields) for each in found)

    async def _write(self, commit: Commit, visit_version: object, *more: Write) -> Stored:
        as_read = {visit_path(commit.visit.visit_id): visit_version, **commit.versions()}
        documents = {**commit.writes(), **dict.fromkeys(commit.deletes())}
        writes = [
            Write(path, document, as_read.get(path, ANY_VERSION))
            for path, document in documents.items()
        ]
        return Stored(commit.visit, await self.database.commit(*writes, *more))
