"""Admission control, built when first needed: semaphore, fair queue and quota in Firestore."""

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from lumimd.coordination.admission.admit import Admission
from lumimd.coordination.admission.hourly_cap import HourlyCap, Orders
from lumimd.coordination.admission.quota import TierQuota
from lumimd.coordination.admission.semaphore import Semaphore
from lumimd.coordination.flags import SharedFlags
from lumimd.coordination.rate_limits import Limits
from lumimd.domain.paths import HOURLY_ORDERS, OPS, PERMITS, RATE_LIMITS
from lumimd.policies.permits import Cap, Shard
from lumimd.policies.priorities import QueueState
from lumimd.policies.pseudonyms import Pseudonyms
from lumimd.policies.token_bucket import Bucket
from lumimd.ports.clock import Clock
from lumimd.ports.database import Database
from lumimd.ports.queued_visits import QueuedVisits
from lumimd.ports.shared_documents import SharedDocuments
from lumimd.ports.tiers import Tiers
from lumimd.ports.turn_counters import TurnCounters
from lumimd.runtime.settings import Settings


class AdmissionWiring:
    """Mixed into the services of a deployment."""

    if TYPE_CHECKING:  # attributes of the class that it is mixed into
        clock: Clock
        new_id: Callable[[], str]

        @property
        def _settings(self) -> Settings: ...

        @property
        def flags(self) -> SharedFlags: ...

        @property
        def _database(self) -> Database: ...

    @cached_property
    def admission(self) -> Admission:
        """The admission control for provider jobs."""
        limits = Limits(self._buckets, self.clock, self.new_id, pseudonyms=self._pseudonyms)
        return Admission(
            Semaphore(self._shards, Cap.of(self._settings.transcription_concurrency), self.clock),
            self._queue_states,
            self._turn_counters,
            self._queued_visits,
            TierQuota(limits, self._tiers),
            self.clock,
            HourlyCap(self.flags, self._hours, self.clock, self._pseudonyms),
        )

    @cached_property
    def _pseudonyms(self) -> Pseudonyms:
        """Keyed with a secret that every function has, and that is not in the store."""
        return Pseudonyms(self._settings.webhook_secret.get_secret_value())

    @cached_property
    def _buckets(self) -> SharedDocuments[Bucket]:
        from lumimd.adapters.stores.shared_documents import KeyedDocuments

        return KeyedDocuments(self._database, RATE_LIMITS, Bucket)

    @cached_property
    def _shards(self) -> SharedDocuments[Shard]:
        from lumimd.adapters.stores.shared_documents import KeyedDocuments

        return KeyedDocuments(self._database, PERMITS, Shard)

    @cached_property
    def _hours(self) -> SharedDocuments[Orders]:
        from lumimd.adapters.stores.shared_documents import KeyedDocuments

        return KeyedDocuments(self._database, HOURLY_ORDERS, Orders)

    @cached_property
    def _queue_states(self) -> SharedDocuments[QueueState]:
        from lumimd.adapters.stores.shared_documents import KeyedDocuments

        return KeyedDocuments(self._database, OPS, QueueState)

    @cached_property
    def _turn_counters(self) -> TurnCounters:
        from lumimd.adapters.stores.turn_counters import DocumentTurnCounters

        return DocumentTurnCounters(self._database)

    @cached_property
    def _queued_visits(self) -> QueuedVisits:
        from lumimd.adapters.stores.queued_visits import DocumentQueuedVisits

        return DocumentQueuedVisits(self._database)

    @cached_property
    def _tiers(self) -> Tiers:
        from lumimd.adapters.stores.tiers import DocumentTiers

        return DocumentTiers(self._database, self._settings.default_tier)
