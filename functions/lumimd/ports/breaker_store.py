"""Where the breakers are kept, so that all instances share them."""

from typing import Protocol

from lumimd.policies.breaker import Breaker


class BreakerStore(Protocol):
    """One document a breaker. Every save is conditional on the version that was read.

    A version means something to the store alone; None is the version of what does not exist. A save
    that changes nothing may leave the version as it was, so it fences nobody off.
    Both methods may raise `Transient`.
    """

    async def get(self, name: str) -> tuple[Breaker, object] | None:
        """The breaker of that name and its version; None before it was ever saved."""
        ...

    async def save(self, read_version: object | None, breaker: Breaker) -> object:
        """Write a breaker that is still as it was read; the new version.

        Raises:
            Conflict: it is not, or it exists where it did not.
        """
        ...
