"""Checks that a provider whose breaker is not closed is called by only one probe at a time."""

from tests.simulation.breakers import Breakers
from tests.simulation.faults import Dependency
from tests.simulation.invocation import Invocation
from tests.simulation.world import World


class Probes:
    """Watches the calls to the providers in one simulation run (world)."""

    def __init__(self, world: World, breakers: Breakers) -> None:
        self._world, self._breakers = world, breakers
        self._asked: dict[str, set[tuple[str, str | None, str]]] = {}
        self._admitted: set[tuple[str, str | None, str]] = set()
        world.on_call.append(self._at_call)

    def _at_call(
        self, invocation: Invocation, dependency: Dependency, operation: str, visit_id: str | None
    ) -> None:
        """Check that only the elected probe calls a provider whose breaker is not closed.

        A deletion of a copy bypasses the breaker: no worker waits for it, and it is tried once.
        """
        if operation == "delete":
            return
        call = (invocation.name, visit_id, dependency.value)
        if call in self._admitted:
            return  # the breaker admitted a repeated call earlier, maybe while it was closed
        self._admitted.add(call)
        breaker = self._breakers.known_to_all(dependency.value)
        if breaker is None or breaker.probe is None:
            return
        if self._breakers.is_in_trouble(invocation.instance):
            return  # an instance that cannot read the breaker store calls the provider all the same
        asked = self._asked.setdefault(breaker.probe.holder, set())
        asked.add(call)
        if len(asked) > 1:
            names = ", ".join(sorted(name for name, *_ in asked))
            self._world.breach("severalProbes", visit_id, f"{dependency}: {names}")
