"""The port to the feature flags."""

from typing import Protocol

from lumimd.policies.flags import Flags


class FlagReader(Protocol):
    """Reads the feature flags."""

    async def now(self) -> Flags:
        """Return the current flags. Never raises."""
        ...
