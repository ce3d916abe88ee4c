"""Somebody at the controls: who they are, and what they work with."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from lumimd.operations.controls import QueueControl, ScheduleControl
from lumimd.operations.operator_store import OperatorStore
from lumimd.parts import Parts
from lumimd.resilience.breaker_store import BreakerStore

Check = Callable[[], Awaitable[str]]
"""Asks a dependency whether it works; the answer is a few words for a person.

Raises whatever is wrong; `Unhealthy` where the dependency answers and is not well.
"""


class Unhealthy(Exception):
    """The dependency answers and says something that is wrong; the message is for a person."""


class OperatorParts(Parts, Protocol):
    """The parts of the pipeline, and those that only operators need."""

    @property
    def operators(self) -> OperatorStore: ...

    @property
    def queues(self) -> QueueControl: ...

    @property
    def schedules(self) -> ScheduleControl: ...

    @property
    def breakers(self) -> BreakerStore: ...

    @property
    def checks(self) -> Mapping[str, Check]:
        """The dependencies by name, each with the question whether it works."""
        ...


@dataclass(frozen=True)
class Operator:
    """`name` is what the audit log will say: a user id, or an account."""

    name: str
    parts: OperatorParts
