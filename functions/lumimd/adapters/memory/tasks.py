"""A task queue in memory that records tasks without running them."""

import asyncio
from typing import NamedTuple


class SummaryTask(NamedTuple):
    """The ids of one request for a summary."""

    visit_id: str
    attempt: int
    request: int


class MemoryTaskQueue:
    """Keeps each task once, in order; a test takes tasks out of `waiting` and runs them."""

    def __init__(self) -> None:
        self.waiting: asyncio.Queue[SummaryTask] = asyncio.Queue()
        self.created: list[SummaryTask] = []
        self._names: set[SummaryTask] = set()

    async def request_summary(self, visit_id: str, attempt: int, request: int) -> None:
        """Record the task, unless it was created before."""
        await asyncio.sleep(0)
        task = SummaryTask(visit_id, attempt, request)
        if task not in self._names:
            self._names.add(task)
            self.created.append(task)
            self.waiting.put_nowait(task)

    async def forget(self, visit_id: str, attempt: int, request: int) -> bool:
        """Remove the task, if it is still waiting."""
        await asyncio.sleep(0)
        forgotten = SummaryTask(visit_id, attempt, request)
        waiting = [self.waiting.get_nowait() for _ in range(self.waiting.qsize())]
        for task in waiting:
            if task != forgotten:
                self.waiting.put_nowait(task)
        return forgotten in waiting
