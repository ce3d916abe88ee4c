"""Queries for queued visits, which have a turn in the fair queue."""

from collections.abc import Sequence

from lumimd.domain.commit import Stored
from lumimd.domain.paths import VISITS
from lumimd.domain.visit import Visit
from lumimd.ports.database import Database, Query
from lumimd.ports.paging import Cursor
from lumimd.stores.listing import Listing, stored


class QueuedVisits:
    """The visits in the fair queue. Firestore indexes their `turn` automatically."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def waiting(self, first_turn: int, before: int, limit: int) -> Sequence[Stored]:
        """Return at most `limit` visits with a turn in `first_turn <= turn < before`.

        The visits are ordered by turn, and by id where turns are equal. Costs one read per visit,
        and at least one read.
        """
        queue = Listing(self._database, Visit, _between(first_turn, before), stored)
        return (await queue.filled(limit)).items

    async def before(self, first_turn: int, turn: int, visit_id: str) -> int:
        """Return the number of queued visits ahead of this visit, from `first_turn` on.

        Costs one read per thousand visits ahead, and at least one read.
        """
        queue = _between(first_turn, turn + 1)
        return await self._database.count(queue, Cursor(turn, visit_id))


def _between(first_turn: int, before: int) -> Query:
    return Query(VISITS, "turn").where("turn", ">=", first_turn).where("turn", "<", before)
