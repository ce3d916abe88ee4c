"""The feature flags as they are set now."""

from typing import Protocol

from lumimd.policies.flags import Flags


class FlagReader(Protocol):
    """Tells how the switches stand."""

    async def now(self) -> Flags:
        """How they stand now. It always has an answer."""
        ...
