"""The subscription tier of a user."""

from typing import Protocol

from lumimd.policies.tiers import Tier


class Tiers(Protocol):
    """The tiers of users; read at each call, so a change applies from the next call."""

    async def of(self, user_id: str) -> Tier:
        """The tier of the user; the default if none is stored. May raise `Transient`."""
        ...
