"""The last turn of each flow of the fair queue."""

from datetime import datetime
from typing import Protocol

from lumimd.policies.priorities import Priority


class TurnCounters(Protocol):
    """The last turn that each flow was given. May raise `Transient`."""

    async def draw(self, user_id: str, priority: Priority, after: int, expires_at: datetime) -> int:
        """One more than the flow's last turn and than `after`; it is the flow's last one now.

        All at once: a user's five hundred events in the same second draw as many turns. A call
        whose answer is lost leaves a gap, which does no harm.
        """
        ...

    async def forget(self, user_id: str) -> None:
        """Delete the flows of a user."""
        ...
