"""Fair turns: whoever waits with five hundred visits does not keep a single one of another waiting.

Start-time fair queuing (Goyal, Vin, Cheng 1996) with one flow for each user and lane:

    turn = max(virtual time of the lane, last turn of the flow) + 1

so that the visits of a user take turns one apart, all users side by side, and the line in order of
turns is a round robin. Who comes anew begins at the virtual time, beside the others' next ones.
"""

from datetime import datetime, timedelta
from typing import Final, Protocol

from lumimd.admission.lanes import Lane, Line

REMEMBERED_FOR: Final = timedelta(days=2)
"""A flow whose last turn is so old has no visit in line; it may begin anew."""


class Flows(Protocol):
    """The last turn that each flow was given. May raise `Transient`."""

    async def draw(self, user_id: str, lane: Lane, after: int, expires_at: datetime) -> int:
        """One more than the flow's last turn and than `after`; it is the flow's last one now.

        All at once: a user's five hundred events in the same second draw as many turns. A call
        whose answer is lost leaves a gap, which does no harm.
        """
        ...

    async def forget(self, user_id: str) -> None:
        """Delete the flows of a user."""
        ...


async def draw_turn(flows: Flows, line: Line, user_id: str, lane: Lane, now: datetime) -> int:
    """The turn of a visit that joins `line` now.

    Raises:
        Transient: the store is not available.
    """
    return await flows.draw(user_id, lane, line.virtual_time(lane), now + REMEMBERED_FOR)
