"""Visits by age, for retention and reconciliation."""

from datetime import datetime
from typing import Protocol

from lumimd.domain.commit import Stored
from lumimd.ports.paging import Cursor, Page


class RetentionQueries(Protocol):
    """The visits by age, page by page, the oldest first."""

    async def with_audio(
        self, created_before: datetime, limit: int, after: Cursor | None = None
    ) -> Page[Stored]:
        """The next `limit` visits created by then, without a recorded erasure of the recording."""
        ...

    async def between(
        self, created_after: datetime, before: datetime, limit: int, after: Cursor | None = None
    ) -> Page[Stored]:
        """The next `limit` visits created in that period."""
        ...

    async def waiting(
        self, created_before: datetime, limit: int, after: Cursor | None = None
    ) -> Page[Stored]:
        """The next `limit` visits created by then that are still `pending`."""
        ...

    async def older(
        self, created_before: datetime, limit: int, after: Cursor | None = None
    ) -> Page[Stored]:
        """The next `limit` visits created by then."""
        ...
