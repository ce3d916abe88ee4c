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
from lumimd.ports.shared_documents import SharedDocuments
from lumimd.runtime.settings import Settings
from lumimd.stores.queued_visits import QueuedVisits
from lumimd.stores.shared_documents import KeyedDocuments
from lumimd.stores.tiers import Tiers
from lumimd.stores.turn_counters import TurnCounters


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
        return KeyedDocuments(self._database, RATE_LIMITS, Bucket)

    @cached_property
    def _shards(self) -> SharedDocuments[Shard]:
        return KeyedDocuments(self._database, PERMITS, Shard)

    @cached_property
    def _hours(self) -> SharedDocuments[Orders]:
        return KeyedDocuments(self._database, HOURLY_ORDERS, Orders)

    @cached_property
    def _queue_states(self) -> SharedDocuments[QueueState]:
        return KeyedDocuments(self._database, OPS, QueueState)

    @cached_property
    def _turn_counters(self) -> TurnCounters:
        return TurnCounters(self._database)

    @cached_property
    def _queued_visits(self) -> QueuedVisits:
        return QueuedVisits(self._database)

    @cached_property
    def _tiers(self) -> Tiers:
        return Tiers(self._database, self._settings.default_tier)
