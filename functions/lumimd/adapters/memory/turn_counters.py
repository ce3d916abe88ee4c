"""The flows of the fair queue, in memory."""

import asyncio
from datetime import datetime

from lumimd.policies.priorities import Priority


class MemoryTurnCounters:
    """The last turn by user and priority."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, Priority], int] = {}

    async def draw(self, user_id: str, priority: Priority, after: int, expires_at: datetime) -> int:
        """One more than the flow's last turn and than `after`."""
        await asyncio.sleep(0)  # like a real write, yields to other tasks
        flow = user_id, priority
        self._last[flow] = max(self._last.get(flow, 0), after) + 1
        return self._last[flow]

    async def forget(self, user_id: str) -> None:
        """Delete the flows of a user."""
        await asyncio.sleep(0)
        for priority in Priority:
            self._last.pop((user_id, priority), None)
