"""The subscription tier of a user."""

from typing import Protocol

from lumimd.policies.tiers import Tier


class Tiers(Protocol):
    """What the users have subscribed to; read each time, so a change counts from the next call."""

    async def of(self, user_id: str) -> Tier:
        """The tier of the user; the default when nothing is known. May raise `Transient`."""
        ...
