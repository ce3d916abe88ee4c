"""A visit and what moves it on: the tasks that wait, and the scheduler."""

from datetime import timedelta

from lumimd.domain.visit import Visit
from lumimd.pipeline import recover, summarize
from tests.support.parts import MemoryParts

MINUTE = timedelta(minutes=1)


async def visit_of(parts: MemoryParts, visit_id: str = "visit-1") -> Visit:
    stored = await parts.store.get(visit_id)
    assert stored
    return stored.visit


async def run_tasks(parts: MemoryParts) -> None:
    while not parts.tasks.waiting.empty():
        task = parts.tasks.waiting.get_nowait()
        await summarize.summarize(parts, task.visit_id, task.attempt)


async def wake_after(parts: MemoryParts, wait: timedelta) -> None:
    parts.clock.advance(wait)
    await recover.wake_due(parts)


async def minutes_pass(parts: MemoryParts, minutes: float) -> None:
    """The scheduler's ticks and the tasks that they create."""
    end = parts.clock.now() + minutes * MINUTE
    while parts.clock.now() < end:
        parts.clock.advance(MINUTE)
        await recover.wake_due(parts)
        await run_tasks(parts)
