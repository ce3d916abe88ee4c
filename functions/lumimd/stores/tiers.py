"""The store of the tiers of users: `users/{uid}.tier`."""

from lumimd.domain.paths import USERS
from lumimd.policies.tiers import Tier
from lumimd.ports.database import Database


class Tiers:
    """The tiers of users, read at each call so that a change applies from the next call."""

    def __init__(self, database: Database, default: Tier = Tier.FREE) -> None:
        self._database = database
        self._default = default

    async def of(self, user_id: str) -> Tier:
        """Return the tier of the user, or the default tier. May raise `Transient`. One read."""
        found = await self._database.get(f"{USERS}/{user_id}", "tier")
        return Tier.named(found.fields.get("tier") if found else None, self._default)
