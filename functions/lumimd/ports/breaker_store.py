"""Storage of the circuit breakers, which all instances share."""

from typing import Protocol

from lumimd.policies.breaker import Breaker


class BreakerStore(Protocol):
    """One document per breaker. Every save is a compare-and-set on the version that was read.

    Only the store interprets a version; None is the version of a missing document. A save that
    changes nothing may keep the version, so it fences off no other writer.
    Both methods may raise `Transient`.
    """

    async def get(self, name: str) -> tuple[Breaker, object] | None:
        """The breaker of that name and its version; None if it was never saved."""
        ...

    async def save(self, read_version: object | None, breaker: Breaker) -> object:
        """Write a breaker by compare-and-set; the new version.

        Raises:
            Conflict: it has changed since the read, or already exists.
        """
        ...
