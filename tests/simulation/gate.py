"""Admission control of a simulation run (world), whose document calls may fail."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import count
from typing import Any, Final, Generic, TypeVar

from lumimd.coordination.admission.admit import Admission, Quota
from lumimd.coordination.admission.hourly_cap import HourlyCap, Orders
from lumimd.coordination.admission.quota import TierQuota
from lumimd.coordination.admission.semaphore import Semaphore
from lumimd.coordination.rate_limits import Limits
from lumimd.domain.commit import Conflict, Stored
from lumimd.domain.document import Document
from lumimd.policies import retry
from lumimd.policies.flags import Flags, OrderCap
from lumimd.policies.permits import Cap, Shard
from lumimd.policies.priorities import Priority, QueueState
from lumimd.policies.tiers import Limited, Tier
from lumimd.policies.token_bucket import Bucket, Policy
from tests.simulation.faults import Dependency
from tests.simulation.world import World

D = TypeVar("D", bound=Document)

RATION: Final = Policy(tokens=24, per=timedelta(days=1), burst=5)
"""A quota so small that the last of sixty visits, with replacements, waits over two days."""

CAP_AN_HOUR: Final = 20
"""An hourly cap on paid jobs (orders) so small that most of sixty visits wait for hours."""

PLENTY: Final = Cap.of(200)

SCARCE: Final = Cap(permits=6, for_batches=4, per_shard=3)
"""Two shards with so few permits that some visits have to wait in the fair queue."""


def cap_of(world: World) -> Cap:
    """Return the concurrency limit for provider jobs in `world`."""
    return SCARCE if world.has_few_permits else PLENTY


class SimulatedDocuments(Generic[D]):
    """A stub of the shared documents, whose reads and writes may fail, be late or get lost."""

    def __init__(self, world: World, name: str) -> None:
        self._world = world
        self._name = name
        self._versions = count(1)
        self.kept: dict[str, tuple[D, int]] = {}

    async def get(self, key: str) -> tuple[D, object] | None:
        return await self._through(f"get_{self._name}", lambda: self.kept.get(key))

    async def save(self, key: str, read_version: object | None, document: D) -> object:
        def effect() -> object:
            _, present = self.kept.get(key, (None, None))
            if present != read_version:
                raise Conflict
            self.kept[key] = document, next(self._versions)
            return self.kept[key][1]

        return await self._through(f"save_{self._name}", effect)

    async def delete(self, key: str) -> None:
        await self._through(f"delete_{self._name}", lambda: self.kept.pop(key, None))

    async def all(self) -> Mapping[str, D]:
        return await self._through(
            f"all_{self._name}", lambda: {key: self.kept[key][0] for key in sorted(self.kept)}
        )

    async def _through(self, operation: str, effect: Callable[[], Any]) -> Any:
        return await self._world.call(Dependency.STORE, operation, effect, retry.STORE)


class SimulatedTurnCounters:
    """A stub of the users' turn counters; a lost response leaves a gap in the turns."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._last: dict[tuple[str, Priority], int] = {}

    async def draw(self, user_id: str, priority: Priority, after: int, expires_at: datetime) -> int:
        def effect() -> int:
            flow = user_id, priority
            self._last[flow] = max(self._last.get(flow, 0), after) + 1
            return self._last[flow]

        drawn = await self._world.call(Dependency.STORE, "draw_turn", effect, retry.STORE)
        return int(drawn)

    async def forget(self, user_id: str) -> None:
        raise NotImplementedError


class SimulatedQueuedVisits:
    """A stub of the fair queue: the waiting visits, ordered by turn."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def waiting(self, first_turn: int, before: int, limit: int) -> Sequence[Stored]:
        def effect() -> list[Stored]:
            found = [
                (stored.visit.turn, visit_id, stored)
                for visit_id in self._world.documents.queued
                if (stored := self._world.documents.visits[visit_id]).visit.turn is not None
                and first_turn <= stored.visit.turn < before
                and self._world.documents.is_readable(visit_id)
            ]
            return [stored for _, _, stored in sorted(found, key=lambda each: each[:2])[:limit]]

        found = await self._world.call(Dependency.STORE, "waiting", effect, retry.STORE)
        return list(found)

    async def before(self, first_turn: int, turn: int, visit_id: str) -> int:
        raise NotImplementedError


class NoQuota:
    """A stub that admits every visit; most worlds last some hours, and quotas count days."""

    async def take(self, user_id: str) -> float | None:
        return None


class OneTier:
    """A stub that gives all users the same tier."""

    async def of(self, user_id: str) -> Tier:
        return Tier.FREE


class CappedFlags:
    """Stub flags of a capped world: an hourly cap on paid jobs, and no active kill switch."""

    def __init__(self, world: World) -> None:
        self._flags = Flags(order_cap=OrderCap(per_hour=CAP_AN_HOUR if world.is_capped else None))

    async def now(self) -> Flags:
        return self._flags


class Gate:
    """The documents of admission control that all instances share."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.shards: SimulatedDocuments[Shard] = SimulatedDocuments(world, "shard")
        self._buckets: SimulatedDocuments[Bucket] = SimulatedDocuments(world, "bucket")
        self._hours: SimulatedDocuments[Orders] = SimulatedDocuments(world, "hour")
        self._queue_states: SimulatedDocuments[QueueState] = SimulatedDocuments(world, "line")
        self._turn_counters = SimulatedTurnCounters(world)
        self._queued = SimulatedQueuedVisits(world)

    def instance(self) -> Admission:
        """Return the admission control of an instance."""
        semaphore = Semaphore(self.shards, cap_of(self._world), self._world)
        quota = self._quota() if self._world.is_rationed else NoQuota()
        cap = HourlyCap(CappedFlags(self._world), self._hours, self._world)
        return Admission(
            semaphore,
            self._queue_states,
            self._turn_counters,
            self._queued,
            quota,
            self._world,
            cap,
        )

    def _quota(self) -> Quota:
        limits = Limits(
            self._buckets,
            self._world,
            new_id=lambda: f"taker-{next(self._world.ids)}",
            policies={Limited.VISITS: {Tier.FREE: RATION}},
            of_all_users={},
        )
        return TierQuota(limits, OneTier())

    def holders(self) -> list[str]:
        """Return the holders of permits that have not expired."""
        now = self._world.now()
        shards = [shard for shard, _ in self.shards.kept.values()]
        return [each.holder for shard in shards for each in shard.permits if each.until > now]
