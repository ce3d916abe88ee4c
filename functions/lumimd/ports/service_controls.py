"""An operator's control of the task queues and of the scheduler, as roles."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from lumimd.domain.document import Document


class RunState(StrEnum):
    """Whether a queue hands out tasks, or a schedule makes calls."""

    RUNNING = "running"
    PAUSED = "paused"
    DISABLED = "disabled"


class QueueState(Document):
    """A task queue. `waiting` counts its tasks; `waiting_is_more`: there are more than counted.

    `retrying` of them had a first answer that was no success.
    """

    name: str
    state: RunState
    waiting: int
    waiting_is_more: bool
    retrying: int
    oldest_created_at: datetime | None
    per_second: float
    at_once: int


class ScheduleState(Document):
    """A scheduled call. `last_code` is the last outcome: 0 is success, None before the first."""

    name: str
    state: RunState
    schedule: str
    time_zone: str
    last_at: datetime | None
    last_code: int | None
    next_at: datetime | None


class QueueControl(Protocol):
    """The task queues of the deployment, by their short names.

    Every method may raise `Transient`; the methods with a name raise `OperatorRefused` if no such
    queue exists.
    """

    async def all(self) -> Sequence[QueueState]:
        """Every queue, by name."""
        ...

    async def pause(self, name: str) -> QueueState:
        """Hand out no more tasks; new tasks wait."""
        ...

    async def resume(self, name: str) -> QueueState:
        """Hand out tasks again."""
        ...


class ScheduleControl(Protocol):
    """The scheduled calls of the deployment, by their short names; errors as in `QueueControl`."""

    async def all(self) -> Sequence[ScheduleState]:
        """Every scheduled call, by name."""
        ...

    async def run(self, name: str) -> ScheduleState:
        """Make the call now, whichever time its schedule gives."""
        ...

    async def pause(self, name: str) -> ScheduleState:
        """Make no more calls."""
        ...

    async def resume(self, name: str) -> ScheduleState:
        """Make calls again."""
        ...
