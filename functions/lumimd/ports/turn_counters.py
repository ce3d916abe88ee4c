"""The last turn of each flow of the fair queue."""

from datetime import datetime
from typing import Protocol

from lumimd.policies.priorities import Priority


class TurnCounters(Protocol):
    """Draws the turns of the flows. May raise `Transient`."""

    async def draw(self, user_id: str, priority: Priority, after: int, expires_at: datetime) -> int:
        """The flow's next turn: one more than both its last turn and `after`.

        Atomic: five hundred concurrent events of one user draw five hundred turns. A lost answer
        leaves a gap, which does no harm.
        """
        ...

    async def forget(self, user_id: str) -> None:
        """Delete the flows of a user."""
        ...
