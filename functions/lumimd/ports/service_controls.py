"""The ports by which operators control the task queues and the scheduler."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from lumimd.domain.document import Document


class RunState(StrEnum):
    """The state of a task queue or of a scheduled call: running, or paused by an operator."""

    RUNNING = "running"
    PAUSED = "paused"
    DISABLED = "disabled"


class QueueState(Document):
    """The state of a task queue.

    `waiting` is the number of its tasks, or more with `waiting_is_more`. `retrying` of these tasks
    failed at first and are retried.
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
    """A scheduled call. `last_code` is 0 after a success, and None before the first call."""

    name: str
    state: RunState
    schedule: str
    time_zone: str
    last_at: datetime | None
    last_code: int | None
    next_at: datetime | None


class QueueControl(Protocol):
    """The task queues of the deployment, by their short names.

    Every method may raise `Transient`. Methods with a `name` raise `OperatorRefused` if the queue
    does not exist.
    """

    async def all(self) -> Sequence[QueueState]:
        """Return every queue, ordered by name."""
        ...

    async def pause(self, name: str) -> QueueState:
        """Pause the queue: it hands out no more tasks, and new tasks wait."""
        ...

    async def resume(self, name: str) -> QueueState:
        """Resume the queue: it hands out tasks again."""
        ...


class ScheduleControl(Protocol):
    """The scheduled calls of the deployment, by their short names; raises like `QueueControl`."""

    async def all(self) -> Sequence[ScheduleState]:
        """Return every scheduled call, ordered by name."""
        ...

    async def run(self, name: str) -> ScheduleState:
        """Make the call now, independently of its schedule."""
        ...

    async def pause(self, name: str) -> ScheduleState:
        """Pause the schedule: it makes no more calls."""
        ...

    async def resume(self, name: str) -> ScheduleState:
        """Resume the schedule: it makes calls again."""
        ...
