"""Queries for visits by age, for retention and reconciliation."""

from datetime import datetime

from lumimd.domain.commit import Stored
from lumimd.domain.paths import VISITS
from lumimd.domain.visit import ProcessingStatus, Visit
from lumimd.ports.database import Database, Query
from lumimd.ports.paging import Cursor, Page
from lumimd.stores.listing import Listing, stored

_OLDEST_FIRST = Query(VISITS, "createdAt")


class RetentionQueries:
    """Queries for visits by age, in pages, the oldest visit first. One read per visit.

    Each query has an index in `infra/firestore.indexes.json`.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def with_audio(
        self, created_before: datetime, limit: int, after: Cursor | None = None
    ) -> Page[Stored]:
        """Return the next `limit` visits created by then that have no `audioErasedAt`."""
        kept = _OLDEST_FIRST.where("audioErasedAt", "==", None)
        return await self._until(created_before, kept, limit, after)

    async def between(
        self, created_after: datetime, before: datetime, limit: int, after: Cursor | None = None
    ) -> Page[Stored]:
        """Return the next `limit` visits created in that period."""
        younger = _OLDEST_FIRST.where("createdAt", ">", created_after)
        return await self._until(before, younger, limit, after)

    async def waiting(
        self, created_before: datetime, limit: int, after: Cursor | None = None
    ) -> Page[Stored]:
        """Return the next `limit` visits created by then that are still `pending`."""
        pending = _OLDEST_FIRST.where("processingStatus", "==", ProcessingStatus.PENDING.value)
        return await self._until(created_before, pending, limit, after)

    async def older(
        self, created_before: datetime, limit: int, after: Cursor | None = None
    ) -> Page[Stored]:
        """Return the next `limit` visits created by then."""
        return await self._until(created_before, _OLDEST_FIRST, limit, after)

    async def _until(
        self, created_before: datetime, query: Query, limit: int, after: Cursor | None
    ) -> Page[Stored]:
        aged = query.where("createdAt", "<=", created_before)
        return await Listing(self._database, Visit, aged, stored).page(limit, after)
