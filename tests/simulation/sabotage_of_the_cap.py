"""Guards of the cap of new orders an hour."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from lumimd.coordination.admission import hourly_cap
from lumimd.coordination.admission.hourly_cap import HourlyCap, Room
from tests.simulation.guard import Guard, put

_takes = Room.takes


async def _takes_all(self: HourlyCap, user_id: str, lease: str) -> bool:
    return True


def _takes_any_user(self: Room, orders: Any, user: str) -> bool:
    return _takes(replace(self, of_a_user=self.orders), orders, user)


CAP: Final[Mapping[str, Guard]] = {
    "orders-have-a-cap-an-hour": Guard(
        "orders of the whole deployment are bounded, whatever orders too much",
        put((HourlyCap, "take", _takes_all)),
        level="capped",
    ),
    "a-user-has-a-share-of-the-cap": Guard(
        "a user with many recordings does not use the whole hour up",
        put((Room, "takes", _takes_any_user)),
        level="capped",
    ),
    "orders-count-for-a-lease-longer": Guard(
        "an order arrives later than it was noted",
        put((hourly_cap, "COUNTED_FOR", timedelta(hours=1))),
        level="capped_heavy",
    ),
}
