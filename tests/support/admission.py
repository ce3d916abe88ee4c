"""Admission control in memory, with access to its state for tests."""

from collections import Counter
from itertools import count

from lumimd.adapters.memory import MemoryVisitStore
from lumimd.coordination.admission.admit import Admission
from lumimd.coordination.admission.hourly_cap import HourlyCap, Orders
from lumimd.coordination.admission.quota import TierQuota
from lumimd.coordination.admission.semaphore import Semaphore
from lumimd.coordination.rate_limits import Limits
from lumimd.policies.permits import Cap, Shard
from lumimd.policies.priorities import QueueState
from lumimd.policies.token_bucket import Bucket
from lumimd.ports.clock import Clock
from lumimd.ports.flags import FlagReader
from lumimd.stores.queued_visits import QueuedVisits
from lumimd.stores.tiers import Tiers
from lumimd.stores.turn_counters import TurnCounters
from tests.support.shared_documents import Troubled, in_memory


class NoQuota:
    """A stub quota that lets every recording pass."""

    async def take(self, user_id: str) -> float | None:
        return None


class MemoryGate:
    """State of admission control in memory, shared by the instances that `instance` makes.

    If `has_quota` is set, each user has the quota of the user's tier.
    """

    def __init__(
        self,
        store: MemoryVisitStore,
        clock: Clock,
        cap: Cap | None = None,
        flags: FlagReader | None = None,
    ) -> None:
        self._flags = flags
        self.hours = Troubled(Orders)
        self.cap = cap or Cap.of(10_000)
        self.has_quota = False
        self.tiers = Tiers(store.database)
        self.shards = Troubled(Shard)
        self.buckets = Troubled(Bucket)
        self.lines = in_memory(QueueState)
        self.turn_counters = TurnCounters(store.database)
        self._room = QueuedVisits(store.database)
        self._clock = clock
        self._ids = count(1)

    def instance(self) -> Admission:
        limits = Limits(self.buckets, self._clock, lambda: f"call-{next(self._ids)}")
        return Admission(
            Semaphore(self.shards, self.cap, self._clock),
            self.lines,
            self.turn_counters,
            self._room,
            TierQuota(limits, self.tiers) if self.has_quota else NoQuota(),
            self._clock,
            HourlyCap(self._flags, self.hours, self._clock) if self._flags else None,
        )

    async def holders(self) -> Counter[str]:
        """Return how many permits each holder has."""
        semaphore = Semaphore(self.shards, self.cap, self._clock)
        return Counter(permit.holder for permit in await semaphore.holders())
