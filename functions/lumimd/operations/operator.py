"""The operator, and the services that operations need."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from lumimd.pipeline.services import Services
from lumimd.policies.breaker import Breaker
from lumimd.ports.health_check import Check
from lumimd.ports.service_controls import QueueControl, ScheduleControl
from lumimd.stores.operator_store import OperatorStore
from lumimd.stores.shared_documents import SharedDocuments


class OperatorServices(Services, Protocol):
    """The services of the pipeline, and those that only operators need."""

    @property
    def operators(self) -> OperatorStore: ...

    @property
    def queues(self) -> QueueControl: ...

    @property
    def schedules(self) -> ScheduleControl: ...

    @property
    def breakers(self) -> SharedDocuments[Breaker]: ...

    @property
    def checks(self) -> Mapping[str, Check]:
        """Return the health checks of the dependencies, by name."""
        ...


@dataclass(frozen=True)
class Operator:
    """An operator; `name` is the actor in the audit log, a user id or an account."""

    name: str
    services: OperatorServices
