"""A task queue that only remembers."""

import asyncio
from typing import NamedTuple


class SummaryTask(NamedTuple):
    """The ids of one request for a summary."""

    visit_id: str
    attempt: int
    request: int


class MemoryTaskQueue:
    """Keeps each task once, in order; whoever runs them takes them out of `waiting`."""

    def __init__(self) -> None:
        self.waiting: asyncio.Queue[SummaryTask] = asyncio.Queue()
        self.created: list[SummaryTask] = []

    async def request_summary(self, visit_id: str, attempt: int, request: int) -> None:
        """Remember the task, unless it was created before."""
        await asyncio.sleep(0)
        task = SummaryTask(visit_id, attempt, request)
        if task not in self.created:
            self.created.append(task)
            self.waiting.put_nowait(task)
