"""The numbers of documents, counted by the store."""

from datetime import datetime
from typing import Protocol

from lumimd.domain.visit import ProcessingStatus


class VisitCounts(Protocol):
    """The numbers of documents, counted by the store."""

    async def visits(self, status: ProcessingStatus) -> int:
        """The number of visits in this status."""
        ...

    async def open_dead_letters(self, last_seen_before: datetime) -> int:
        """The number of dead letters last seen before then and neither retried nor discarded."""
        ...
