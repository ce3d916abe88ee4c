"""Fair queue: the visits of one user, however many, do not delay those of another user.

Start-time fair queuing (Goyal, Vin, Cheng 1996) with one flow for each user and priority:

    turn = max(virtual time of the priority, last turn of the flow) + 1

The visits of a user take consecutive turns, in parallel with all other users, so the queue in order
of turns is a round robin. A new user begins at the virtual time, beside the next visits of others.
"""

from datetime import datetime

from lumimd.policies.admission import FLOW_KEPT_FOR
from lumimd.policies.priorities import Priority, QueueState
from lumimd.stores.turn_counters import TurnCounters


async def draw_turn(
    turn_counters: TurnCounters, line: QueueState, user_id: str, priority: Priority, now: datetime
) -> int:
    """The turn of a visit that joins the queue `line` now.

    Raises:
        Transient: the store is not available.
    """
    return await turn_counters.draw(
        user_id, priority, line.virtual_time(priority), now + FLOW_KEPT_FOR
    )
