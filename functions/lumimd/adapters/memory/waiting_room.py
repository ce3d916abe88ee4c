"""The line, in memory: the visits of the store that have a turn."""

import asyncio
from collections.abc import Sequence

from lumimd.adapters.memory.store import MemoryVisitStore
from lumimd.commit import Stored
from lumimd.records import Visit


class MemoryWaitingRoom:
    """Looks through all visits each time."""

    def __init__(self, store: MemoryVisitStore) -> None:
        self._store = store

    async def waiting(self, first_turn: int, before: int, limit: int) -> Sequence[Stored]:
        """Visits in order of their turns."""
        await asyncio.sleep(0)  # a real query gives way to others, and so does this one
        paths = sorted(self._between(first_turn, before))[:limit]
        return [
            Stored(Visit.from_stored(self._store.raw[path]), self._store.raw.version(path))
            for _, path in paths
        ]

    async def before(self, first_turn: int, turn: int, visit_id: str) -> int:
        """How many visits come before this one."""
        await asyncio.sleep(0)
        found = self._between(first_turn, turn + 1)
        return sum(each < (turn, f"visits/{visit_id}") for each in found)

    def _between(self, first_turn: int, before: int) -> list[tuple[int, str]]:
        return [
            (document["turn"], path)
            for path, document in self._store.raw.under("visits")
            if document.get("turn") is not None and first_turn <= document["turn"] < before
        ]
