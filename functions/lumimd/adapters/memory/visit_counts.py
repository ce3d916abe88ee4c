"""The numbers of documents in the memory store."""

import asyncio
from datetime import datetime

from lumimd.adapters.memory.queries import equal
from lumimd.adapters.memory.visit_store import MemoryVisitStore
from lumimd.domain.dead_letter import LetterState
from lumimd.domain.paths import DEAD_LETTERS, VISITS
from lumimd.domain.visit import ProcessingStatus


class MemoryVisitCounts:
    """Counts the documents of `store` without parsing, so unreadable ones count as well."""

    def __init__(self, store: MemoryVisitStore) -> None:
        self._store = store

    async def visits(self, status: ProcessingStatus) -> int:
        """The number of visits in this status."""
        await asyncio.sleep(0)
        found = self._store.raw.under(VISITS)
        return sum(equal(document, processingStatus=status) for _, document in found)

    async def open_dead_letters(self, last_seen_before: datetime) -> int:
        """The number of open dead letters last seen before then."""
        await asyncio.sleep(0)
        found = self._store.raw.under(DEAD_LETTERS)
        seen = (document for _, document in found if equal(document, state=LetterState.OPEN))
        times = (document.get("lastSeenAt") for document in seen)
        return sum(isinstance(at, datetime) and at <= last_seen_before for at in times)
