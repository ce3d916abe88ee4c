"""The questions that tell whether a dependency works, where its own port can answer them."""

from typing import Final

from lumimd.operations.controls import QueueControl, RunState, ScheduleControl
from lumimd.operations.operator import Check, Unhealthy
from lumimd.ports import VisitStore
from lumimd.resilience.breaker_state import Breaker
from lumimd.resilience.breaker_store import BreakerStore

NOBODY: Final = "health-check"
"""A visit that does not exist: one read, and nothing of anybody's."""


def store_check(store: VisitStore) -> Check:
    """Whether documents can be read."""

    async def check() -> str:
        await store.get(NOBODY)
        return "documents can be read"

    return check


def queue_check(queues: QueueControl) -> Check:
    """Whether there are task queues, and they hand out their tasks."""

    async def check() -> str:
        found = await queues.all()
        if not found:
            raise Unhealthy("there is no task queue")
        stopped = [queue.name for queue in found if queue.state is not RunState.RUNNING]
        if stopped:
            raise Unhealthy(f"not running: {', '.join(stopped)}; its tasks wait")
        waiting = sum(queue.waiting for queue in found)
        return f"running, {waiting} waiting"

    return check


def scheduler_check(schedules: ScheduleControl) -> Check:
    """Whether the scheduled calls are made and end well; without them lost work stays lost."""

    async def check() -> str:
        found = await schedules.all()
        if not found:
            raise Unhealthy("nothing is scheduled: visits that lost a step are never picked up")
        stopped = [each.name for each in found if each.state is not RunState.RUNNING]
        if stopped:
            raise Unhealthy(f"not running: {', '.join(stopped)}; due visits wait")
        failing = [each.name for each in found if each.last_code]
        if failing:
            raise Unhealthy(f"the last call failed: {', '.join(failing)}")
        return f"running: {', '.join(each.name for each in found)}"

    return check


def breaker_check(breakers: BreakerStore, name: str) -> Check:
    """Whether calls to a dependency are let through."""

    async def check() -> str:
        found = await breakers.get(name)
        breaker = found[0] if found else Breaker(name=name)
        if not breaker.is_closed:
            since = f" since {breaker.opened_at:%Y-%m-%d %H:%M} UTC" if breaker.opened_at else ""
            why = f": {breaker.reason.replace('_', ' ')}" if breaker.reason else ""
            raise Unhealthy(f"{breaker.state.replace('_', ' ')}{since}{why}; visits wait for it")
        return "closed: calls are let through"

    return check
