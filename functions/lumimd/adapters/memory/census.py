"""Numbers of documents in the memory store."""

import asyncio
from datetime import datetime

from lumimd.adapters.memory.store import MemoryVisitStore
from lumimd.dead_letter import DeadLetter, LetterState
from lumimd.records import ProcessingStatus, Visit


class MemoryCensus:
    """Counts what is in `store` now."""

    def __init__(self, store: MemoryVisitStore) -> None:
        self._store = store

    async def visits(self, status: ProcessingStatus) -> int:
        """Visits in this status."""
        await asyncio.sleep(0)
        visits = (Visit.from_stored(document) for _, document in self._store.raw.under("visits"))
        return sum(visit.processing_status is status for visit in visits)

    async def open_dead_letters(self, last_seen_before: datetime) -> int:
        """Dead letters that nobody has retried or discarded since then."""
        await asyncio.sleep(0)
        found = self._store.raw.under("deadLetters")
        letters = (DeadLetter.from_stored(document) for _, document in found)
        return sum(
            letter.state is LetterState.OPEN and letter.last_seen_at <= last_seen_before
            for letter in letters
        )
