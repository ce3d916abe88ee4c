"""The queued visits in memory: those that have a turn in the fair queue."""

import asyncio
from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import Any

from lumimd.adapters.memory.queries import Listing
from lumimd.adapters.memory.visit_store import MemoryVisitStore
from lumimd.domain.commit import Stored
from lumimd.domain.paths import VISITS
from lumimd.domain.visit import Visit
from lumimd.ports.paging import Cursor


class MemoryQueuedVisits:
    """Uses the store's index of `turn`."""

    def __init__(self, store: MemoryVisitStore) -> None:
        self._store = store

    async def waiting(self, first_turn: int, before: int, limit: int) -> Sequence[Stored]:
        """Visits in order of their turns."""
        await asyncio.sleep(0)  # like a real query, yields to other tasks

        def where(stored: dict[str, Any]) -> bool:
            return _is_turn(stored["turn"]) and first_turn <= stored["turn"] < before

        line = Listing(self._store.raw, Visit, VISITS, "turn", self._store.stored, where)
        return line.filled(limit).items

    async def before(self, first_turn: int, turn: int, visit_id: str) -> int:
        """The number of visits ahead of this one."""
        await asyncio.sleep(0)
        ahead = takewhile(lambda at: at < (turn, visit_id), self._from(first_turn))
        return sum(1 for _ in ahead)

    def _from(self, first_turn: int) -> Iterator[Cursor]:
        for at, _ in self._store.raw.ordered(VISITS, "turn"):
            if _is_turn(at.value) and at.value >= first_turn:
                yield at


def _is_turn(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
