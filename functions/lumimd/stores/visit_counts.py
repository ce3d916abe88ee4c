"""Counts of documents by aggregation: one read per count, and no document is read."""

from datetime import datetime

from lumimd.domain.dead_letter import LetterState
from lumimd.domain.paths import DEAD_LETTERS, VISITS
from lumimd.domain.visit import ProcessingStatus
from lumimd.ports.database import Database, Query


class VisitCounts:
    """Counts of documents, including unreadable documents."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def visits(self, status: ProcessingStatus) -> int:
        """Return the number of visits in this status."""
        return await self._database.count(Query(VISITS).where("processingStatus", "==", status))

    async def open_dead_letters(self, last_seen_before: datetime) -> int:
        """Return the number of dead letters last seen before then, and still open."""
        letters = Query(DEAD_LETTERS).where("state", "==", LetterState.OPEN)
        return await self._database.count(letters.where("lastSeenAt", "<=", last_seen_before))
