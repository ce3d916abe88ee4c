"""What users have subscribed to, in memory."""

import asyncio

from lumimd.policies.tiers import Tier


class MemoryTiers:
    """Tiers by user; `set` is what the billing would do."""

    def __init__(self, default: Tier = Tier.FREE) -> None:
        self._default = default
        self._tiers: dict[str, object] = {}

    def set(self, user_id: str, tier: object) -> None:
        """Store a tier, whatever it is."""
        self._tiers[user_id] = tier

    async def of(self, user_id: str) -> Tier:
        """The tier of the user; the default when nothing is known."""
        await asyncio.sleep(0)
        return Tier.named(self._tiers.get(user_id), self._default)
