"""Fair queue: many visits of one user do not delay the visits of other users.

The algorithm is start-time fair queuing (Goyal, Vin, Cheng 1996) with a flow for each user and
priority:

    turn = max(virtual time of the priority, last turn of the flow) + 1

The visits of a user take consecutive turns, in parallel with all other users, so that the queue in
order of turns is a round robin. A new user begins at the virtual time, beside the next visits of
other users.
"""

from datetime import datetime

from lumimd.policies.admission import FLOW_KEPT_FOR
from lumimd.policies.priorities import Priority, QueueState
from lumimd.stores.turn_counters import TurnCounters


async def draw_turn(
    turn_counters: TurnCounters, line: QueueState, user_id: str, priority: Priority, now: datetime
) -> int:
    """Return the turn of a visit that joins the queue with the state `line` now.

    Raises:
        Transient: the store is not available.
    """
    return await turn_counters.draw(
        user_id, priority, line.virtual_time(priority), now + FLOW_KEPT_FOR
    )
