"""The receipts of deletions on Cloud Firestore, and the documents that go with a visit."""

from datetime import datetime
from typing import Any, Final

from google.cloud import firestore
from google.cloud.firestore_v1.base_query import FieldFilter

from lumimd.adapters.firestore_calls import called
from lumimd.adapters.firestore_queries import Listing
from lumimd.commit import Stored
from lumimd.queries import Cursor, Page
from lumimd.reading import read
from lumimd.records import Deletion

AT_ONCE: Final = 300
"""Documents that one batch deletes; Firestore takes 500 writes."""


class FirestoreDeletions:
    """One receipt a visit, under the visit's id."""

    def __init__(self, client: firestore.AsyncClient) -> None:
        self._client = client

    async def get(self, visit_id: str) -> tuple[Deletion, object] | None:
        """The receipt and its version. One read."""
        reference = self._receipt(visit_id)
        snapshot = await called(lambda: reference.get(retry=None))
        if not snapshot.exists:
            return None
        receipt = read(Deletion, "deletions", visit_id, snapshot.to_dict())
        return receipt, snapshot.update_time

    async def begin(self, read: Stored, deletion: Deletion) -> None:
        """Delete the visit and write the receipt, both or neither."""
        batch: Any = self._client.batch()
        unchanged = self._client.write_option(last_update_time=read.version)
        batch.delete(self._client.document(f"visits/{deletion.visit_id}"), option=unchanged)
        batch.create(self._receipt(deletion.visit_id), deletion.to_stored())
        await called(lambda: batch.commit(retry=None))

    async def create(self, deletion: Deletion) -> None:
        """Write a receipt of what never was a visit."""
        reference = self._receipt(deletion.visit_id)
        await called(lambda: reference.create(deletion.to_stored(), retry=None))

    async def save(self, read_version: object, deletion: Deletion) -> None:
        """Write a receipt that is still as it was read."""
        unchanged = self._client.write_option(last_update_time=read_version)
        reference = self._receipt(deletion.visit_id)
        await called(lambda: reference.update(deletion.to_stored(), option=unchanged, retry=None))

    async def due(self, now: datetime, limit: int, after: Cursor | None = None) -> Page[Deletion]:
        """The next `limit` deletions with `wake_at <= now`, the longest overdue first."""
        due = self._client.collection("deletions").where(filter=FieldFilter("wakeAt", "<=", now))
        listing = Listing(Deletion, "deletions", due, "wakeAt", lambda receipt, _: receipt)
        return await listing.page(limit, after)

    async def erase(self, visit_id: str) -> dict[str, int]:
        """Delete all documents of a visit; one read and one delete a document."""
        client = self._client
        actions = client.collection("actions").where(filter=FieldFilter("visitId", "==", visit_id))
        return {
            "transcript": await self._erase(client.collection(f"visits/{visit_id}/transcript")),
            "history": await self._erase(client.collection(f"visits/{visit_id}/history")),
            "actions": await self._erase(actions),
            "deadLetters": await self._erase(
                client.collection("deadLetters").where(
                    # By its path: its fields may be unreadable or missing.
                    filter=FieldFilter("__name__", "==", client.document(f"deadLetters/{visit_id}"))
                )
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

    async def _all(self, query: Any) -> list[Any]:
        return await called(lambda: query.get(retry=None))

    def _receipt(self, visit_id: str) -> Any:
        return self._client.document(f"deletions/{visit_id}")
