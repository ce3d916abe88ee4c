"""The tiers of users, and the limits of each tier."""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Final

from lumimd.policies.token_bucket import Policy

_MINUTE: Final = timedelta(minutes=1)
_DAY: Final = timedelta(days=1)


class Tier(StrEnum):
    """The subscription of a user; stored in `users/{uid}.tier`."""

    FREE = "free"
    PAID = "paid"

    @classmethod
    def named(cls, stored: object, default: "Tier") -> "Tier":
        """Return the tier with the `stored` name, or `default` for an unknown name."""
        return next((tier for tier in cls if tier == stored), default)


class Limited(StrEnum):
    """Limits of one user. Reads have no limit, because counting a read costs more than the read."""

    WRITE = "write"
    EXPENSIVE = "expensive"
    """Calls that cause paid work, or that read or delete everything."""
    VISITS = "visits"
    """Transcribed recordings. A visit over this quota waits and is not refused."""
    URGENT = "urgent"
    """Visits that are created as urgent. Over the limit, users can still create ordinary visits."""


class OfAllUsers(StrEnum):
    """Limits of all users together.

    A few accounts can use up such a limit, so that all users wait. So these limits apply only to
    calls that can wait: neither recordings nor deletions depend on them.
    """

    ON_DEMAND = "on_demand"
    """Exports, which read all data of a user, and requested new summaries, which are paid again."""


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
"""The limits of all users together. Each limit is one document, so it fits only rare calls:
Firestore sustains about one write per second to a document."""
