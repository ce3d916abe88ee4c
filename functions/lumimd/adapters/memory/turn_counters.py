"""The flows of those who wait, in memory."""

import asyncio
from datetime import datetime

from lumimd.policies.priorities import Lane


class MemoryFlows:
    """The last turn by user and lane."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, Lane], int] = {}

    async def draw(self, user_id: str, lane: Lane, after: int, expires_at: datetime) -> int:
        """One more than the flow's last turn and than `after`."""
        await asyncio.sleep(0)  # a real write gives way to others, and so does this one
        flow = user_id, lane
        self._last[flow] = max(self._last.get(flow, 0), after) + 1
        return self._last[flow]

    async def forget(self, user_id: str) -> None:
        """Delete the flows of a user."""
        await asyncio.sleep(0)
        for lane in Lane:
            self._last.pop((user_id, lane), None)
