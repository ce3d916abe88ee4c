"""Numbers of documents, as the store counts them."""

from datetime import datetime
from typing import Protocol

from lumimd.domain.visit import ProcessingStatus


class VisitCounts(Protocol):
    """Numbers of documents, as the store counts them."""

    async def visits(self, status: ProcessingStatus) -> int:
        """Visits in this status."""
        ...

    async def open_dead_letters(self, last_seen_before: datetime) -> int:
        """Dead letters that nobody has retried or discarded since then."""
        ...
