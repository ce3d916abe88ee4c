"""Fair turns: whoever waits with five hundred visits does not keep a single one of another waiting.

Start-time fair queuing (Goyal, Vin, Cheng 1996) with one flow for each user and lane:

    turn = max(virtual time of the lane, last turn of the flow) + 1

so that the visits of a user take turns one apart, all users side by side, and the line in order of
turns is a round robin. Who comes anew begins at the virtual time, beside the others' next ones.
"""

from datetime import datetime, timedelta
from typing import Final

from lumimd.policies.priorities import Priority, QueueState
from lumimd.ports.turn_counters import TurnCounters

REMEMBERED_FOR: Final = timedelta(days=2)
"""A flow whose last turn is so old has no visit in line; it may begin anew."""


async def draw_turn(
    turn_counters: TurnCounters, line: QueueState, user_id: str, priority: Priority, now: datetime
) -> int:
    """The turn of a visit that joins `line` now.

    Raises:
        Transient: the store is not available.
    """
    return await turn_counters.draw(
        user_id, priority, line.virtual_time(priority), now + REMEMBERED_FOR
    )
