"""Task queues and scheduled calls in memory: listed, paused and resumed."""

import asyncio
from collections.abc import Sequence

from lumimd.domain.codes import OperatorCode
from lumimd.domain.errors import OperatorRefused
from lumimd.ports.service_controls import QueueState, RunState, ScheduleState


class MemoryQueues:
    """Task queues in memory, by name, without tasks."""

    def __init__(self, *names: str) -> None:
        self._queues = {
            name: QueueState(
                name=name,
                state=RunState.RUNNING,
                waiting=0,
                waiting_is_more=False,
                retrying=0,
                oldest_created_at=None,
                per_second=500.0,
                at_once=100,
            )
            for name in sorted(names)
        }

    async def all(self) -> Sequence[QueueState]:
        """Return every queue, by name."""
        await asyncio.sleep(0)
        return list(self._queues.values())

    async def pause(self, name: str) -> QueueState:
        """Hand out no more tasks of the queue."""
        return await self._become(name, RunState.PAUSED)

    async def resume(self, name: str) -> QueueState:
        """Hand out tasks of the queue again."""
        return await self._become(name, RunState.RUNNING)

    async def _become(self, name: str, state: RunState) -> QueueState:
        await asyncio.sleep(0)
        if name not in self._queues:
            raise OperatorRefused(OperatorCode.NO_SUCH_QUEUE)
        self._queues[name] = self._queues[name].model_copy(update={"state": state})
        return self._queues[name]


class MemorySchedules:
    """Scheduled calls in memory, by name; `runs` only records the requested calls."""

    def __init__(self, *names: str) -> None:
        self.runs: list[str] = []
        self._schedules = {
            name: ScheduleState(
                name=name,
                state=RunState.RUNNING,
                schedule="* * * * *",
                time_zone="Etc/UTC",
                last_at=None,
                last_code=None,
                next_at=None,
            )
            for name in sorted(names)
        }

    async def all(self) -> Sequence[ScheduleState]:
        """Return every scheduled call, by name."""
        await asyncio.sleep(0)
        return list(self._schedules.values())

    async def run(self, name: str) -> ScheduleState:
        """Record the requested call."""
        state = await self._become(name, None)
        self.runs.append(name)
        return state

    async def pause(self, name: str) -> ScheduleState:
        """Make no more of these calls."""
        return await self._become(name, RunState.PAUSED)

    async def resume(self, name: str) -> ScheduleState:
        """Make these calls again."""
        return await self._become(name, RunState.RUNNING)

    async def _become(self, name: str, state: RunState | None) -> ScheduleState:
        await asyncio.sleep(0)
        if name not in self._schedules:
            raise OperatorRefused(OperatorCode.NO_SUCH_SCHEDULE)
        if state is not None:
            self._schedules[name] = self._schedules[name].model_copy(update={"state": state})
        return self._schedules[name]
