"""The quota of recordings: a visit over the quota waits until the quota allows more recordings."""

from lumimd.coordination.rate_limits import Limits, TooMany
from lumimd.policies.tiers import Limited
from lumimd.stores.tiers import Tiers


class TierQuota:
    """The quota of the user's tier; see `policies/tiers.py`."""

    def __init__(self, limits: Limits, tiers: Tiers) -> None:
        self._limits = limits
        self._tiers = tiers

    async def take(self, user_id: str) -> float | None:
        """Count one recording and return None, or return the seconds until a recording is allowed.

        Raises:
            Transient: the store is not available.
        """
        try:
            await self._limits.allow(user_id, await self._tiers.of(user_id), Limited.VISITS)
        except TooMany as refusal:
            return refusal.retry_after_s
        return None
