"""The turn counters of each user and priority: `ops/turns/flows/{priority}-{uid}`."""

from datetime import datetime

from lumimd.domain.paths import TURN_COUNTERS
from lumimd.policies.priorities import Priority
from lumimd.ports.database import Database, Write


class TurnCounters:
    """Draws the turns of the fair queue's flows: each user and priority has a document."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def draw(self, user_id: str, priority: Priority, after: int, expires_at: datetime) -> int:
        """Return the flow's next turn: one more than its last turn and than `after`. Two writes.

        The operation is atomic: five hundred concurrent events of one user draw five hundred turns.
        A lost answer leaves a gap between turns, which does no harm.
        """
        others = {"expiresAt": expires_at}
        return await self._database.next_number(_flow(user_id, priority), "last", after, others)

    async def forget(self, user_id: str) -> None:
        """Delete the flows of a user. One write per priority."""
        await self._database.commit(*(Write(_flow(user_id, each), None) for each in Priority))


def _flow(user_id: str, priority: Priority) -> str:
    return f"{TURN_COUNTERS}/{priority}-{user_id}"
