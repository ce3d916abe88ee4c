"""The visits by age, over the visits in memory."""

import asyncio
from datetime import datetime

from lumimd.adapters.memory.queries import Listing, Where, between, equal, until
from lumimd.adapters.memory.visit_store import MemoryVisitStore
from lumimd.domain.commit import Stored
from lumimd.domain.paths import VISITS
from lumimd.domain.visit import ProcessingStatus, Visit
from lumimd.ports.paging import Cursor, Page


class MemoryRetentionQueries:
    """Uses the store's index of `createdAt`."""

    def __init__(self, store: MemoryVisitStore) -> None:
        self._store = store

    async def with_audio(
        self, created_before: datetime, limit: int, after: Cursor | None = None
    ) -> Page[Stored]:
        """Visits created by then without a recorded erasure, the oldest first."""
        old = until("createdAt", created_before)
        return await self._page(limit, after, lambda v: old(v) and equal(v, audioErasedAt=None))

    async def between(
        self, created_after: datetime, before: datetime, limit: int, after: Cursor | None = None
    ) -> Page[Stored]:
        """Visits created in that period, the oldest first."""
        return await self._page(limit, after, between("createdAt", created_after, before))

    async def waiting(
        self, created_before: datetime, limit: int, after: Cursor | None = None
    ) -> Page[Stored]:
        """Visits created by then that are still `pending`, the oldest first."""
        old, pending = until("createdAt", created_before), ProcessingStatus.PENDING
        return await self._page(
            limit, after, lambda v: old(v) and equal(v, processingStatus=pending)
        )

    async def older(
        self, created_before: datetime, limit: int, after: Cursor | None = None
    ) -> Page[Stored]:
        """Visits created by then, the oldest first."""
        return await self._page(limit, after, until("createdAt", created_before))

    async def _page(self, limit: int, after: Cursor | None, where: Where) -> Page[Stored]:
        await asyncio.sleep(0)
        store = self._store
        return Listing(store.raw, Visit, VISITS, "createdAt", store.stored, where).page(
            limit, after
        )
