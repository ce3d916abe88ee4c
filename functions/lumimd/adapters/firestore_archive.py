"""The visits by age, on Cloud Firestore."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from google.cloud import firestore
from google.cloud.firestore_v1.base_query import FieldFilter

from lumimd.adapters.firestore import called
from lumimd.records import ProcessingStatus, Visit


class FirestoreArchive:
    """Each query is one of `infra/firestore.indexes.json`."""

    def __init__(self, client: firestore.AsyncClient) -> None:
        self._visits = client.collection("visits")

    async def with_audio(self, created_before: datetime, limit: int) -> Sequence[Visit]:
        """Visits so old whose recordings were not erased, the oldest first."""
        kept = self._visits.where(filter=FieldFilter("audioErasedAt", "==", None))
        return await self._oldest(kept, created_before, limit)

    async def between(self, after: datetime, before: datetime) -> Sequence[Visit]:
        """All visits that were created in that time, the oldest first."""
        younger = self._visits.where(filter=FieldFilter("createdAt", ">", after))
        return await self._oldest(younger, before, limit=None)

    async def waiting(self, created_before: datetime, limit: int) -> Sequence[Visit]:
        """Visits so old that are still `pending`, the oldest first."""
        pending = FieldFilter("processingStatus", "==", ProcessingStatus.PENDING.value)
        return await self._oldest(self._visits.where(filter=pending), created_before, limit)

    async def older(self, created_before: datetime, limit: int) -> Sequence[Visit]:
        """Visits so old, the oldest first."""
        return await self._oldest(self._visits, created_before, limit)

    async def _oldest(
        self, query: Any, created_before: datetime, limit: int | None
    ) -> Sequence[Visit]:
        aged = query.where(filter=FieldFilter("createdAt", "<=", created_before))
        ordered = aged.order_by("createdAt")
        if limit is not None:
            ordered = ordered.limit(limit)
        found = await called(lambda: ordered.get(retry=None))
        return [Visit.from_stored(snapshot.to_dict()) for snapshot in found]
