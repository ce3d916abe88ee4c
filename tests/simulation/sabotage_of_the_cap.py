"""Guards for the hourly cap on new paid jobs (orders)."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from lumimd.coordination.admission import hourly_cap
from lumimd.coordination.admission.hourly_cap import HourlyCap, Room
from tests.simulation.guard import Guard, put

_takes = Room.takes


async def _admit_all(self: HourlyCap, user_id: str, lease: str) -> bool:
    return True


def _ignore_user_share(self: Room, orders: Any, user: str) -> bool:
    return _takes(replace(self, of_a_user=self.orders), orders, user)


CAP: Final[Mapping[str, Guard]] = {
    "orders-have-a-cap-an-hour": Guard(
        "the orders of the whole deployment in an hour are bounded",
        put((HourlyCap, "take", _admit_all)),
        level="capped",
    ),
    "a-user-has-a-share-of-the-cap": Guard(
        "one user with many recordings does not use up the hourly cap",
        put((Room, "takes", _ignore_user_share)),
        level="capped",
    ),
    "orders-count-for-a-lease-longer": Guard(
        "an order may arrive later than it is counted, and counts for longer",
        put((hourly_cap, "COUNTED_FOR", timedelta(hours=1))),
        level="capped_heavy",
    ),
}
