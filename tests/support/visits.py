"""Read a visit, run queued tasks, and run the scheduled function."""

from datetime import timedelta

from lumimd.domain.visit import Visit
from lumimd.pipeline import recover, summarize
from tests.support.services import MemoryServices

MINUTE = timedelta(minutes=1)


async def visit_of(services: MemoryServices, visit_id: str = "visit-1") -> Visit:
    stored = await services.store.get(visit_id)
    assert stored
    return stored.visit


async def run_tasks(services: MemoryServices) -> None:
    while not services.tasks.waiting.empty():
        task = services.tasks.waiting.get_nowait()
        await summarize.summarize(services, task.visit_id, task.attempt)


async def wake_after(services: MemoryServices, wait: timedelta) -> None:
    services.clock.advance(wait)
    await recover.wake_due(services)


async def minutes_pass(services: MemoryServices, minutes: float) -> None:
    """Run the scheduled function once a minute, and the tasks that it creates."""
    end = services.clock.now() + minutes * MINUTE
    while services.clock.now() < end:
        services.clock.advance(MINUTE)
        await recover.wake_due(services)
        await run_tasks(services)
