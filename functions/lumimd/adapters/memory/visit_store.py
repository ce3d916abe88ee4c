"""The visit store in memory, as strict as Firestore: compare-and-set, copies, 1 MiB."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, Final

from lumimd.adapters.memory.documents import MemoryDocuments
from lumimd.adapters.memory.queries import Listing, equal, until
from lumimd.adapters.reading import read, readable
from lumimd.domain.commit import Commit, Conflict, Stored, StoredAction
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
from lumimd.ports.paging import Cursor, Page

MAX_DOCUMENT_BYTES: Final = 1024**2


MAX_REQUEST_BYTES: Final = 10 * 1024**2
MAX_WRITES: Final = 500


class DocumentTooLarge(Exception):
    """A document is over 1 MiB; Firestore and this store refuse it."""


class RequestTooLarge(Exception):
    """A commit is over 10 MiB, or over 500 writes; Firestore and this store refuse it."""


class MemoryVisitStore:
    """The store serializes values on each write, so no caller shares them."""

    def __init__(self) -> None:
        self.raw: Final = MemoryDocuments()
        """The documents themselves, for the other adapters over the same memory."""
        self._watchers: list[tuple[str, asyncio.Queue[Visit]]] = []

    async def get(self, visit_id: str) -> Stored | None:
        """The visit, or None."""
        await asyncio.sleep(0)  # like a real read, yields to other tasks
        return self._read(visit_id)

    async def create(self, commit: Commit) -> Stored:
        """Write a new visit; raises Conflict if it exists or was deleted."""
        await asyncio.sleep(0)
        visit_id = commit.visit.visit_id
        if visit_path(visit_id) in self.raw or f"{DELETIONS}/{visit_id}" in self.raw:
            raise Conflict
        return self._write(commit)

    async def save(self, read: Stored, commit: Commit) -> Stored:
        """Replace a visit by compare-and-set; raises Conflict if it has changed."""
        await asyncio.sleep(0)
        if self.raw.version(visit_path(commit.visit.visit_id)) != read.version:
            raise Conflict
        if any(self.raw.version(path) != version for path, version in commit.versions().items()):
            raise Conflict
        return self._write(commit)

    async def due(self, now: datetime, limit: int, after: Cursor | None = None) -> Page[Stored]:
        """The next `limit` visits with `wake_at <= now`, the longest overdue first."""
        return await self._until("wakeAt", now, limit, after)

    async def overdue(self, now: datetime, limit: int, after: Cursor | None = None) -> Page[Stored]:
        """The next `limit` visits with `overdue_at <= now`, the longest overdue first."""
        return await self._until("overdueAt", now, limit, after)

    async def _until(
        self, field: str, now: datetime, limit: int, after: Cursor | None
    ) -> Page[Stored]:
        await asyncio.sleep(0)
        where = until(field, now)
        return Listing(self.raw, Visit, VISITS, field, self.stored, where).page(limit, after)

    async def transcript(self, visit_id: str) -> tuple[Utterance, ...]:
        """The stored utterances in order, all of them or none."""
        await asyncio.sleep(0)
        return joined(
            read(TranscriptPage, TRANSCRIPT, path.removeprefix(f"{VISITS}/"), page)
            for path, page in self.raw.under(transcript_path(visit_id))
        )

    async def history(self, visit_id: str) -> tuple[HistoryEntry, ...]:
        """The timeline in order."""
        await asyncio.sleep(0)
        found = self.raw.under(history_path(visit_id))
        named = ((path.removeprefix(f"{VISITS}/"), entry, None) for path, entry in found)
        return tuple(entry for entry, _ in readable(HistoryEntry, HISTORY, named)[0])

    async def actions(self, visit_id: str) -> tuple[Action, ...]:
        """The action items of a visit, in order of their ids."""
        await asyncio.sleep(0)
        found = self.raw.under(ACTIONS)
        named = (
            (path.removeprefix("actions/"), action, None)
            for path, action in found
            if equal(action, visitId=visit_id)
        )
        return tuple(action for action, _ in readable(Action, ACTIONS, named)[0])

    async def stored_actions(self, visit_id: str) -> tuple[StoredAction, ...]:
        """The action items of a visit with their versions."""
        return tuple(
            StoredAction(action, self.raw.version(f"{ACTIONS}/{action.action_id}"))
            for action in await self.actions(visit_id)
        )

    async def dead_letter(self, visit_id: str) -> DeadLetter | None:
        """The dead letter of a failed visit, or None."""
        await asyncio.sleep(0)
        path = f"{DEAD_LETTERS}/{visit_id}"
        if path not in self.raw:
            return None
        return read(DeadLetter, DEAD_LETTERS, visit_id, self.raw[path])

    async def watch(self, visit_id: str) -> AsyncIterator[Visit]:
        """The visit now and after every change, like a Firestore listener."""
        updates: asyncio.Queue[Visit] = asyncio.Queue()
        watcher = (visit_id, updates)
        self._watchers.append(watcher)
        try:
            stored = self._read(visit_id)
            if stored is not None:
                yield stored.visit
            while True:
                yield await updates.get()
        finally:
            self._watchers.remove(watcher)

    def documents(self) -> dict[str, dict[str, Any]]:
        """All stored documents by path, for the checks of a test."""
        return json.loads(json.dumps(dict(self.raw), default=str))  # type: ignore[no-any-return]

    def _read(self, visit_id: str) -> Stored | None:
        path = visit_path(visit_id)
        if path not in self.raw:
            return None
        return self.stored(read(Visit, VISITS, visit_id, self.raw[path]), path)

    def stored(self, visit: Visit, path: str) -> Stored:
        """The visit that was read at `path`, with its version."""
        return Stored(visit, self.raw.version(path))

    def _write(self, commit: Commit) -> Stored:
        writes, deletes = commit.writes(), commit.deletes()
        request = 0
        for path, document in writes.items():
            size = len(json.dumps(document, default=str, ensure_ascii=False).encode())
            if size > MAX_DOCUMENT_BYTES:
                raise DocumentTooLarge(path)
            request += size
        if request > MAX_REQUEST_BYTES or len(writes) + len(deletes) > MAX_WRITES:
            raise RequestTooLarge(f"{len(writes)} writes, {len(deletes)} deletes, {request} bytes")
        for path in deletes:
            self.raw.pop(path, None)
        self.raw.update(writes)
        stored = self._read(commit.visit.visit_id)
        assert stored is not None
        for visit_id, updates in self._watchers:
            if visit_id == commit.visit.visit_id:
                updates.put_nowait(stored.visit)
        return stored
