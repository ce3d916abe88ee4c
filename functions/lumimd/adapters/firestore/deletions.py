"""The receipts of deletions on Cloud Firestore, and the documents around a visit."""

from datetime import datetime
from typing import Any, Final

from google.cloud import firestore
from google.cloud.firestore_v1.base_query import FieldFilter

from lumimd.adapters.firestore.calls import called
from lumimd.adapters.firestore.queries import Listing
from lumimd.adapters.reading import read
from lumimd.domain.commit import Stored
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

AT_ONCE: Final = 300
"""Documents that one batch deletes; Firestore allows 500 writes."""


class FirestoreDeletions:
    """One receipt per visit, under the visit's id."""

    def __init__(self, client: firestore.AsyncClient) -> None:
        self._client = client

    async def get(self, visit_id: str) -> tuple[Deletion, object] | None:
        """The receipt and its version. One read."""
        reference = self._receipt(visit_id)
        snapshot = await called(lambda: reference.get(retry=None))
        if not snapshot.exists:
            return None
        receipt = read(Deletion, DELETIONS, visit_id, snapshot.to_dict())
        return receipt, snapshot.update_time

    async def begin(self, read: Stored, deletion: Deletion, again: object = None) -> None:
        """Delete the visit and write the receipt, both or neither; neither under a legal hold."""
        batch: Any = self._client.batch()
        unchanged = self._client.write_option(last_update_time=read.version)
        batch.delete(self._client.document(visit_path(deletion.visit_id)), option=unchanged)
        receipt = self._receipt(deletion.visit_id)
        if again is None:
            batch.create(receipt, deletion.to_stored())
        else:
            earlier = self._client.write_option(last_update_time=again)
            batch.update(receipt, deletion.to_stored(), option=earlier)
        unless_held(self._client, batch, deletion.visit_id)
        await called(lambda: batch.commit(retry=None))

    async def create(self, deletion: Deletion) -> None:
        """Write a receipt that belongs to no visit."""
        reference = self._receipt(deletion.visit_id)
        await called(lambda: reference.create(deletion.to_stored(), retry=None))

    async def save(self, read_version: object, deletion: Deletion) -> None:
        """Replace a receipt by compare-and-set."""
        unchanged = self._client.write_option(last_update_time=read_version)
        reference = self._receipt(deletion.visit_id)
        await called(lambda: reference.update(deletion.to_stored(), option=unchanged, retry=None))

    async def due(self, now: datetime, limit: int, after: Cursor | None = None) -> Page[Deletion]:
        """The next `limit` deletions with `wake_at <= now`, the longest overdue first."""
        due = self._client.collection(DELETIONS).where(filter=FieldFilter("wakeAt", "<=", now))
        listing = Listing(Deletion, DELETIONS, due, "wakeAt", lambda receipt, _: receipt)
        return await listing.page(limit, after)

    async def since(
        self, requested_at: datetime, limit: int, after: Cursor | None = None
    ) -> Page[Deletion]:
        """The next `limit` deletions requested at `requested_at` or later, the oldest first."""
        newer = self._client.collection(DELETIONS).where(
            filter=FieldFilter("requestedAt", ">=", requested_at)
        )
        listing = Listing(Deletion, DELETIONS, newer, "requestedAt", lambda receipt, _: receipt)
        return await listing.page(limit, after)

    async def hold_of(self, visit_id: str) -> Hold | None:
        """The mark of the legal hold of a visit, or None. One read."""
        reference = self._client.document(f"{HOLDS}/{visit_id}")
        found = await called(lambda: reference.get(retry=None))
        return read(Hold, HOLDS, visit_id, found.to_dict()) if found.exists else None

    async def holds(self, limit: int, after: Cursor | None = None) -> Page[Hold]:
        """The next `limit` marks of legal holds, the oldest first."""
        query = self._client.collection(HOLDS)
        listing = Listing(Hold, HOLDS, query, "heldAt", lambda hold, _: hold)
        return await listing.page(limit, after)

    async def visits_of(self, user_id: str, limit: int, after: Cursor | None = None) -> Page[Visit]:
        """The next `limit` visits of a user, the newest first."""
        query = self._of(VISITS, user_id)
        listing = Listing(
            Visit, VISITS, query, "createdAt", lambda visit, _: visit, newest_first=True
        )
        return await listing.page(limit, after)

    async def visits_named(
        self, user_id: str, limit: int, after: Cursor | None = None
    ) -> Page[str]:
        """The visits of the next `limit` action items of a user, the newest first."""
        query = self._of(ACTIONS, user_id).select(["visitId", "createdAt"])
        listing = Listing(
            OfVisit, ACTIONS, query, "createdAt", lambda item, _: item.visit_id, newest_first=True
        )
        return await listing.page(limit, after)

    async def remains(self, visit_id: str) -> bool:
        """Whether any document of a visit exists, apart from the visit itself. Four reads."""
        for query in self._documents_of(visit_id).values():
            if await self._all(query.limit(1)):
                return True
        return False

    async def erase(self, visit_id: str) -> dict[str, int]:
        """Delete all documents of a visit; one read and one delete per document."""
        found = self._documents_of(visit_id).items()
        return {kind: await self._erase(query) for kind, query in found}

    def _documents_of(self, visit_id: str) -> dict[str, Any]:
        client = self._client
        letter = client.document(f"{DEAD_LETTERS}/{visit_id}")
        return {
            "transcript": client.collection(transcript_path(visit_id)),
            "history": client.collection(history_path(visit_id)),
            "actions": client.collection(ACTIONS).where(
                filter=FieldFilter("visitId", "==", visit_id)
            ),
            "deadLetters": client.collection(DEAD_LETTERS).where(
                # By its path: fields may be unreadable or missing.
                filter=FieldFilter("__name__", "==", letter)
            ),
        }

    async def _erase(self, query: Any) -> int:
        erased = 0
        while found := await self._all(query.limit(AT_ONCE)):
            batch = self._client.batch()
            for snapshot in found:
                batch.delete(snapshot.reference)
            await called(lambda batch=batch: batch.commit(retry=None))  # type: ignore[misc]
            erased += len(found)
        return erased

    def _of(self, collection: str, user_id: str) -> Any:
        return self._client.collection(collection).where(
            filter=FieldFilter("userId", "==", user_id)
        )

    async def _all(self, query: Any) -> list[Any]:
        return await called(lambda: query.get(retry=None))

    def _receipt(self, visit_id: str) -> Any:
        return self._client.document(f"{DELETIONS}/{visit_id}")


def unless_held(client: firestore.AsyncClient, batch: Any, visit_id: str) -> None:
    """Make the commit of `batch` fail while the visit is under legal hold.

    The batch deletes the mark on the precondition that no mark exists, which deletes nothing.
    """
    none = client.write_option(exists=False)
    batch.delete(client.document(f"{HOLDS}/{visit_id}"), option=none)
