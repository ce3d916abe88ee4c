"""The visit store on Cloud Firestore."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from google.cloud import firestore
from google.cloud.firestore_v1.base_query import FieldFilter

from lumimd.adapters.firestore.calls import called
from lumimd.adapters.firestore.queries import Listing
from lumimd.adapters.reading import read, readable
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
from lumimd.ports.paging import Cursor, Page


class FirestoreVisitStore:
    """Visits, transcripts, history and actions; every write is an atomic batch."""

    def __init__(self, client: firestore.AsyncClient) -> None:
        self._client = client

    async def get(self, visit_id: str) -> Stored | None:
        """The visit, or None. One read."""
        reference = self._client.document(visit_path(visit_id))
        snapshot = await called(lambda: reference.get(retry=None))
        if not snapshot.exists:
            return None
        visit = read(Visit, VISITS, snapshot.id, snapshot.to_dict())
        return Stored(visit, snapshot.update_time)

    async def create(self, commit: Commit) -> Stored:
        """Write a new visit; raises Conflict if it exists or was deleted.

        The batch deletes the receipt on the precondition that none exists, which deletes nothing.
        So the commit fails if a receipt exists, in the same request and without a transaction.
        """
        batch = self._client.batch()
        (path, visit), *others = commit.writes().items()
        batch.create(self._client.document(path), visit)
        receipt = self._client.document(f"{DELETIONS}/{commit.visit.visit_id}")
        batch.delete(receipt, option=self._client.write_option(exists=False))
        return await self._committed(batch, commit, others)

    async def save(self, read: Stored, commit: Commit) -> Stored:
        """Replace a visit by compare-and-set; raises Conflict if it has changed."""
        batch = self._client.batch()
        (path, visit), *others = commit.writes().items()
        unchanged = self._client.write_option(last_update_time=read.version)
        batch.update(self._client.document(path), visit, option=unchanged)
        return await self._committed(batch, commit, others)

    async def due(self, now: datetime, limit: int, after: Cursor | None = None) -> Page[Stored]:
        """The next `limit` visits with `wake_at <= now`, the longest overdue first."""
        return await self._until("wakeAt", now, limit, after)

    async def overdue(self, now: datetime, limit: int, after: Cursor | None = None) -> Page[Stored]:
        """The next `limit` visits with `overdue_at <= now`, the longest overdue first."""
        return await self._until("overdueAt", now, limit, after)

    async def _until(
        self, field: str, now: datetime, limit: int, after: Cursor | None
    ) -> Page[Stored]:
        found = self._client.collection(VISITS).where(filter=FieldFilter(field, "<=", now))
        return await Listing(Visit, VISITS, found, field, stored).page(limit, after)

    async def transcript(self, visit_id: str) -> tuple[Utterance, ...]:
        """The stored utterances in order, all of them or none. One read per page."""
        pages = await self._all(self._client.collection(transcript_path(visit_id)))
        return joined(
            read(TranscriptPage, TRANSCRIPT, f"{visit_id}/{page.id}", page.to_dict())
            for page in pages
        )

    async def history(self, visit_id: str) -> tuple[HistoryEntry, ...]:
        """The timeline in order. One read per entry."""
        found = await self._all(self._client.collection(history_path(visit_id)))
        named = ((f"{visit_id}/{entry.id}", entry.to_dict(), None) for entry in found)
        entries, _ = readable(HistoryEntry, HISTORY, named)
        return tuple(entry for entry, _ in entries)

    async def actions(self, visit_id: str) -> tuple[Action, ...]:
        """The action items of a visit, in order of their ids. One read per item."""
        return tuple(each.action for each in await self.stored_actions(visit_id))

    async def stored_actions(self, visit_id: str) -> tuple[StoredAction, ...]:
        """The action items of a visit with their versions. One read per item."""
        query = self._client.collection(ACTIONS).where(
            filter=FieldFilter("visitId", "==", visit_id)
        )
        named = ((each.id, each.to_dict(), each.update_time) for each in await self._all(query))
        actions, _ = readable(Action, ACTIONS, named)
        return tuple(StoredAction(*each) for each in actions)

    async def dead_letter(self, visit_id: str) -> DeadLetter | None:
        """The dead letter of a failed visit, or None. One read."""
        reference = self._client.document(f"{DEAD_LETTERS}/{visit_id}")
        found = await called(lambda: reference.get(retry=None))
        letter = found.to_dict()
        return read(DeadLetter, DEAD_LETTERS, visit_id, letter) if found.exists else None

    async def _all(self, query: Any) -> list[Any]:
        return await called(lambda: query.get(retry=None))

    async def _committed(
        self, batch: Any, commit: Commit, others: Sequence[tuple[str, dict[str, Any]]]
    ) -> Stored:
        as_read = {
            path: self._client.write_option(last_update_time=version)
            for path, version in commit.versions().items()
        }
        for path, document in others:
            if path in as_read:
                batch.update(self._client.document(path), document, option=as_read[path])
            else:
                batch.set(self._client.document(path), document)
        for path in commit.deletes():
            batch.delete(self._client.document(path), option=as_read.get(path))
        results = await called(lambda: batch.commit(retry=None))
        return Stored(commit.visit, results[0].update_time)


def stored(visit: Visit, snapshot: Any) -> Stored:
    """The visit of a snapshot, with its version."""
    return Stored(visit, snapshot.update_time)
