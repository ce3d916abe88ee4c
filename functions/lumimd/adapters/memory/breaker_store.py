"""The breakers in memory: compare-and-set, and no caller shares a value."""

import asyncio
from itertools import count
from typing import Any

from lumimd.adapters.reading import read
from lumimd.domain.commit import Conflict
from lumimd.domain.paths import OPS
from lumimd.policies.breaker import Breaker


class MemoryBreakerStore:
    """Breakers by name."""

    def __init__(self) -> None:
        self._documents: dict[str, tuple[dict[str, Any], int]] = {}
        self._next_version = count(1)

    async def get(self, name: str) -> tuple[Breaker, object] | None:
        """The breaker and its version, or None."""
        await asyncio.sleep(0)  # like a real read, yields to other tasks
        if name not in self._documents:
            return None
        document, version = self._documents[name]
        return read(Breaker, OPS, f"breaker-{name}", document), version

    async def save(self, read_version: object | None, breaker: Breaker) -> object:
        """Write a breaker by compare-and-set; raises Conflict if it has changed."""
        await asyncio.sleep(0)
        _, version = self._documents.get(breaker.name, ({}, None))
        if version != read_version:
            raise Conflict
        self._documents[breaker.name] = breaker.to_stored(), next(self._next_version)
        return self._documents[breaker.name][1]
