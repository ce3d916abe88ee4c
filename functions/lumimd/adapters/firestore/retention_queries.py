"""The visits by age, on Cloud Firestore."""

from datetime import datetime
from typing import Any

from google.cloud import firestore
from google.cloud.firestore_v1.base_query import FieldFilter

from lumimd.adapters.firestore.queries import Listing
from lumimd.adapters.firestore.visit_store import stored
from lumimd.domain.commit import Stored
from lumimd.domain.paths import VISITS
from lumimd.domain.visit import ProcessingStatus, Visit
from lumimd.ports.paging import Cursor, Page


class FirestoreRetentionQueries:
    """Each query has an index in `infra/firestore.indexes.json`. One read per visit."""

    def __init__(self, client: firestore.AsyncClient) -> None:
        self._visits = client.collection(VISITS)

    async def with_audio(
        self, created_before: datetime, limit: int, after: Cursor | None = None
    ) -> Page[Stored]:
        """Visits created by then without a recorded erasure, the oldest first."""
        kept = self._visits.where(filter=FieldFilter("audioErasedAt", "==", None))
        return await self._oldest(kept, created_before, limit, after)

    async def between(
        self, created_after: datetime, before: datetime, limit: int, after: Cursor | None = None
    ) -> Page[Stored]:
        """Visits created in that period, the oldest first."""
        younger = self._visits.where(filter=FieldFilter("createdAt", ">", created_after))
        return await self._oldest(younger, before, limit, after)

    async def waiting(
        self, created_before: datetime, limit: int, after: Cursor | None = None
    ) -> Page[Stored]:
        """Visits created by then that are still `pending`, the oldest first."""
        pending = FieldFilter("processingStatus", "==", ProcessingStatus.PENDING.value)
        return await self._oldest(self._visits.where(filter=pending), created_before, limit, after)

    async def older(
        self, created_before: datetime, limit: int, after: Cursor | None = None
    ) -> Page[Stored]:
        """Visits created by then, the oldest first."""
        return await self._oldest(self._visits, created_before, limit, after)

    async def _oldest(
        self, query: Any, created_before: datetime, limit: int, after: Cursor | None
    ) -> Page[Stored]:
        aged = query.where(filter=FieldFilter("createdAt", "<=", created_before))
        return await Listing(Visit, VISITS, aged, "createdAt", stored).page(limit, after)
