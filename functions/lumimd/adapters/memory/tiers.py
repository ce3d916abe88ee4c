"""The tiers of users, in memory."""

import asyncio

from lumimd.policies.tiers import Tier


class MemoryTiers:
    """Tiers by user; a test calls `set` in place of the billing system."""

    def __init__(self, default: Tier = Tier.FREE) -> None:
        self._default = default
        self._tiers: dict[str, object] = {}

    def set(self, user_id: str, tier: object) -> None:
        """Store a tier, valid or not."""
        self._tiers[user_id] = tier

    async def of(self, user_id: str) -> Tier:
        """The tier of the user; the default if none is stored."""
        await asyncio.sleep(0)
        return Tier.named(self._tiers.get(user_id), self._default)
