"""Stubs the shared store of the circuit breakers, with faults as in the other stores."""

from collections.abc import Callable
from itertools import count
from typing import Any, Final

from lumimd.domain.commit import Conflict
from lumimd.policies import retry
from lumimd.policies.breaker import Breaker, key_of
from lumimd.policies.keeping import BREAKER_KEPT_FOR
from tests.simulation.faults import Dependency
from tests.simulation.invocation import current
from tests.simulation.world import START, World

ONCE: Final = retry.RetryPolicy(attempts=1, timeout_s=10, initial_s=1, max_wait_s=1, jitter_s=1)
"""An instance calls the breaker store without retries."""

KNOWN_AFTER_S: Final = BREAKER_KEPT_FOR.total_seconds() + 1.0


class Breakers:
    def __init__(self, world: World) -> None:
        self._world = world
        self._versions = count(1)
        self.kept: dict[str, tuple[Breaker, int]] = {}
        self._trouble_at: dict[int, float] = {}
        self._asking: dict[int, list[float]] = {}

    def known_to_all(self, name: str) -> Breaker | None:
        """Return the breaker if every instance must know by now that it is not closed."""
        kept = self.kept.get(name)
        if kept is None or kept[0].is_closed:
            return None
        opened_at = (kept[0].changed_at or START) - START
        is_known = opened_at.total_seconds() + KNOWN_AFTER_S < self._world.loop.time()
        return kept[0] if is_known else None

    def is_in_trouble(self, instance: int) -> bool:
        """Whether a recent call of the breaker store by this instance failed or is slow."""
        now, trouble_at = self._world.loop.time(), self._trouble_at.get(instance, -1000.0)
        waits = any(now - began_at > 0.5 for began_at in self._asking.get(instance, ()))
        return waits or now - trouble_at < 10 * KNOWN_AFTER_S

    async def get(self, key: str) -> tuple[Breaker, object] | None:
        name = key.removeprefix(key_of(""))
        return await self._through("breaker", lambda: self.kept.get(name))

    async def save(self, key: str, read_version: object | None, breaker: Breaker) -> object:
        def effect() -> object:
            before, present_version = self.kept.get(breaker.name, (None, None))
            if present_version != read_version:
                raise Conflict
            self._check_election(before, breaker)
            version = next(self._versions)
            self.kept[breaker.name] = (breaker, version)
            self._world.note("store", None, f"breaker {breaker.name}", breaker.state)
            self._world.faults.injected[f"(breaker {breaker.state})"] += 1
            return version

        return await self._through("save_breaker", effect)

    def _check_election(self, before: Breaker | None, after: Breaker) -> None:
        """Check that no other holder is elected while a holder has the lease on the probe."""
        if before is None or before.probe is None or after.probe is None:
            return
        if before.probe.until > self._world.now() and before.probe.holder != after.probe.holder:
            self._world.breach("severalProbes", None, f"{after.name}: elected while one is at it")

    async def _through(self, operation: str, effect: Callable[[], Any]) -> Any:
        began_at, instance = self._world.loop.time(), current.get().instance
        asking = self._asking.setdefault(instance, [])
        asking.append(began_at)
        is_answered = False
        try:
            result = await self._world.call(Dependency.STORE, operation, effect, ONCE)
            is_answered = self._world.loop.time() - began_at < 0.9
        finally:
            asking.remove(began_at)
            if not is_answered:
                self._trouble_at[instance] = self._world.loop.time()
        return result
