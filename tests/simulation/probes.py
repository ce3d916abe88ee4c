"""Of a provider whose breaker is not closed, one probe asks in each period."""

from tests.simulation.breakers import Breakers
from tests.simulation.faults import Dependency
from tests.simulation.invocation import Invocation
from tests.simulation.world import World


class Probes:
    """Watches the calls to the providers of one world."""

    def __init__(self, world: World, breakers: Breakers) -> None:
        self._world, self._breakers = world, breakers
        self._asked: dict[str, set[tuple[str, str | None, str]]] = {}
        self._admitted: set[tuple[str, str | None, str]] = set()
        world.on_call.append(self._at_call)

    def _at_call(
        self, invocation: Invocation, dependency: Dependency, operation: str, visit_id: str | None
    ) -> None:
        """Of a provider whose breaker is not closed, only the elected probe may ask.

        To have a copy deleted goes past the breaker: nobody waits for it, and it is asked for once.
        """
        if operation == "delete":
            return
        call = (invocation.name, visit_id, dependency.value)
        if call in self._admitted:
            return  # it repeats what it was let in for, maybe before the breaker opened
        self._admitted.add(call)
        breaker = self._breakers.known_to_all(dependency.value)
        if breaker is None or breaker.probe is None:
            return
        if self._breakers.is_in_trouble(invocation.instance):
            return  # it could not know: who cannot read the breaker's store calls all the same
        asked = self._asked.setdefault(breaker.probe.holder, set())
        asked.add(call)
        if len(asked) > 1:
            names = ", ".join(sorted(name for name, *_ in asked))
            self._world.breach("severalProbes", visit_id, f"{dependency}: {names}")
