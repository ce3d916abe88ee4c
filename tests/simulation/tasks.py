"""A stub of the task queue's port."""

from collections.abc import Callable

from lumimd.policies import retry
from tests.simulation.faults import Dependency
from tests.simulation.world import World


class Tasks:
    """Accepts tasks; `on_created` is called with each new task."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.names: set[tuple[str, int, int]] = set()
        self.forgotten: set[tuple[str, int, int]] = set()
        self.on_created: Callable[[str, int, int], None] = lambda *ids: None

    async def request_summary(self, visit_id: str, attempt: int, request: int) -> None:
        def effect() -> None:
            if (visit_id, attempt, request) not in self.names:
                self.names.add((visit_id, attempt, request))
                self.on_created(visit_id, attempt, request)

        await self._world.call(
            Dependency.TASKS, "request_summary", effect, retry.TASKS, visit_id=visit_id
        )

    async def forget(self, visit_id: str, attempt: int, request: int) -> bool:
        def effect() -> bool:
            name = visit_id, attempt, request
            self.forgotten |= {name} & self.names
            return name in self.names

        return await self._world.call(
            Dependency.TASKS, "forget", effect, retry.TASKS, visit_id=visit_id
        )
