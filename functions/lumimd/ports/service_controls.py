"""What may be asked of the task queues and of the scheduler, as roles."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from lumimd.domain.document import Document


class RunState(StrEnum):
    """Whether tasks are handed out, or calls made."""

    RUNNING = "running"
    PAUSED = "paused"
    DISABLED = "disabled"


class QueueState(Document):
    """A task queue. `waiting` counts its tasks; `waiting_is_more`: there are more than counted.

    `retrying` of them were answered before, and not with success.
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
    """A scheduled call. `last_code` is how the last one ended: 0 is well, None before the first."""

    name: str
    state: RunState
    schedule: str
    time_zone: str
    last_at: datetime | None
    last_code: int | None
    next_at: datetime | None


class QueueControl(Protocol):
    """The task queues of the deployment, by their short names.

    Every method may raise `Transient`; those that take a name raise `OperatorRefused` for one that
    does not exist.
    """

    async def all(self) -> Sequence[QueueState]:
        """Every queue, by name."""
        ...

    async def pause(self, name: str) -> QueueState:
        """Hand out no more tasks; those that are created meanwhile wait."""
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
        """Make the call now, whatever its schedule says."""
        ...

    async def pause(self, name: str) -> ScheduleState:
        """Make no more calls."""
        ...

    async def resume(self, name: str) -> ScheduleState:
        """Make calls again."""
        ...
