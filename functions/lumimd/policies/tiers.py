"""How much each tier may do: the one table of limits."""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Final

from lumimd.policies.token_bucket import Policy

_MINUTE: Final = timedelta(minutes=1)
_DAY: Final = timedelta(days=1)


class Tier(StrEnum):
    """What a user has subscribed to; stored in `users/{uid}.tier`."""

    FREE = "free"
    PAID = "paid"

    @classmethod
    def named(cls, stored: object, default: "Tier") -> "Tier":
        """The tier of that name; whatever is not known is the deployment's `default`."""
        return next((tier for tier in cls if tier == stored), default)


class Limited(StrEnum):
    """What is counted. Reads are not: to count one would cost more than the read."""

    WRITE = "write"
    EXPENSIVE = "expensive"
    """Calls that cause work to be paid for, or that read or delete everything."""
    VISITS = "visits"
    """Recordings that are transcribed. Who is over this quota waits; nothing is refused."""
    URGENT = "urgent"
    """Visits that are created as urgent. A visit over it can be created as an ordinary one."""


class OfAllUsers(StrEnum):
    """What is counted for all users together.

    A few accounts can use such a bucket up and keep everybody waiting. So it guards only what can
    wait: no recording, and no deletion, depends on it.
    """

    ON_DEMAND = "on_demand"
    """Exports and regenerations: one reads everything, the other is paid for again."""


POLICIES: Final[Mapping[Limited, Mapping[Tier, Policy]]] = {
    Limited.WRITE: {
        Tier.FREE: Policy(tokens=30, per=_MINUTE, burst=30),
        Tier.PAID: Policy(tokens=120, per=_MINUTE, burst=120),
    },
    Limited.EXPENSIVE: {
        Tier.FREE: Policy(tokens=10, per=_MINUTE, burst=10),
        Tier.PAID: Policy(tokens=10, per=_MINUTE, burst=20),
    },
    Limited.VISITS: {
        Tier.FREE: Policy(tokens=20, per=_DAY, burst=20),
        Tier.PAID: Policy(tokens=2_000, per=_DAY, burst=10_000),
    },
    Limited.URGENT: {
        Tier.FREE: Policy(tokens=1, per=_DAY, burst=1),  # urgent visits are not part of this tier
        Tier.PAID: Policy(tokens=20, per=_DAY, burst=20),
    },
}

OF_ALL_USERS: Final[Mapping[OfAllUsers, Policy]] = {
    OfAllUsers.ON_DEMAND: Policy(tokens=100, per=_MINUTE, burst=100),
}
"""What all users together may do. One document a limit, so only for what is seldom: Firestore
takes about one write a second of a document for long."""
