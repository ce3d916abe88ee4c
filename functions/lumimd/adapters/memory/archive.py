"""The visits by age, over the visits in memory."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime

from lumimd.adapters.memory.store import MemoryVisitStore
from lumimd.records import ProcessingStatus, Visit


class MemoryArchive:
    """Looks at every visit, which is what indexes are for elsewhere."""

    def __init__(self, store: MemoryVisitStore) -> None:
        self._store = store

    async def with_audio(self, created_before: datetime, limit: int) -> Sequence[Visit]:
        """Visits so old whose recordings were not erased, the oldest first."""
        return await self._oldest(created_before, limit, lambda v: v.audio_erased_at is None)

    async def between(self, after: datetime, before: datetime) -> Sequence[Visit]:
        """All visits that were created in that time, the oldest first."""
        limit = len(self._store.raw.under("visits"))
        return await self._oldest(before, limit, lambda v: v.created_at > after)

    async def waiting(self, created_before: datetime, limit: int) -> Sequence[Visit]:
        """Visits so old that are still `pending`, the oldest first."""
        pending = ProcessingStatus.PENDING
        return await self._oldest(created_before, limit, lambda v: v.processing_status is pending)

    async def older(self, created_before: datetime, limit: int) -> Sequence[Visit]:
        """Visits so old, the oldest first."""
        return await self._oldest(created_before, limit, lambda v: True)

    async def _oldest(
        self, created_before: datetime, limit: int, wanted: Callable[[Visit], bool]
    ) -> Sequence[Visit]:
        await asyncio.sleep(0)
        visits = (Visit.from_stored(found) for _, found in self._store.raw.under("visits"))
        found = [v for v in visits if v.created_at <= created_before and wanted(v)]
        return sorted(found, key=lambda v: v.created_at)[:limit]
