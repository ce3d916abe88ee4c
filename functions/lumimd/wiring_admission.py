"""The gate to the provider, built when it is first needed: places, line and quota in Firestore."""

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from lumimd.admission.admit import Admission
from lumimd.admission.hourly import COLLECTION as HOURS
from lumimd.admission.hourly import HourlyCap, Orders
from lumimd.admission.lanes import Line
from lumimd.admission.places import Cap, Shard
from lumimd.admission.quota import TierQuota
from lumimd.admission.slots import COLLECTION as SHARDS
from lumimd.admission.slots import Slots
from lumimd.admission.turns import Flows
from lumimd.admission.waiting_room import WaitingRoom
from lumimd.ports import Clock
from lumimd.resilience.limits import COLLECTION as BUCKETS
from lumimd.resilience.limits import Limits, Tiers
from lumimd.resilience.pseudonyms import Pseudonyms
from lumimd.resilience.rate_limit import Bucket
from lumimd.settings import Settings
from lumimd.shared_documents import SharedDocuments
from lumimd.shared_flags import SharedFlags

if TYPE_CHECKING:
    from google.cloud import firestore


class AdmissionWiring:
    """Mixed into the parts of a deployment."""

    if TYPE_CHECKING:  # whoever it is mixed into has these
        clock: Clock
        new_id: Callable[[], str]

        @property
        def _settings(self) -> Settings: ...

        @property
        def flags(self) -> SharedFlags: ...

        @property
        def _firestore(self) -> "firestore.AsyncClient": ...

    @cached_property
    def admission(self) -> Admission:
        """Who may have a job at the provider."""
        limits = Limits(self._buckets, self.clock, self.new_id, pseudonyms=self._pseudonyms)
        return Admission(
            Slots(self._shards, Cap.of(self._settings.transcription_concurrency), self.clock),
            self._lines,
            self._flows,
            self._waiting_room,
            TierQuota(limits, self._tiers),
            self.clock,
            HourlyCap(self.flags, self._hours, self.clock, self._pseudonyms),
        )

    @cached_property
    def _pseudonyms(self) -> Pseudonyms:
        """Under a secret that every function has, and that is not in the store."""
        return Pseudonyms(self._settings.webhook_secret.get_secret_value())

    @cached_property
    def _buckets(self) -> SharedDocuments[Bucket]:
        from lumimd.adapters.firestore_shared_documents import FirestoreSharedDocuments

        return FirestoreSharedDocuments(self._firestore, BUCKETS, Bucket)

    @cached_property
    def _shards(self) -> SharedDocuments[Shard]:
        from lumimd.adapters.firestore_shared_documents import FirestoreSharedDocuments

        return FirestoreSharedDocuments(self._firestore, SHARDS, Shard)

    @cached_property
    def _hours(self) -> SharedDocuments[Orders]:
        from lumimd.adapters.firestore_shared_documents import FirestoreSharedDocuments

        return FirestoreSharedDocuments(self._firestore, HOURS, Orders)

    @cached_property
    def _lines(self) -> SharedDocuments[Line]:
        from lumimd.adapters.firestore_shared_documents import FirestoreSharedDocuments

        return FirestoreSharedDocuments(self._firestore, "ops", Line)

    @cached_property
    def _flows(self) -> Flows:
        from lumimd.adapters.firestore_flows import FirestoreFlows

        return FirestoreFlows(self._firestore)

    @cached_property
    def _waiting_room(self) -> WaitingRoom:
        from lumimd.adapters.firestore_waiting_room import FirestoreWaitingRoom

        return FirestoreWaitingRoom(self._firestore)

    @cached_property
    def _tiers(self) -> Tiers:
        from lumimd.adapters.firestore_tiers import FirestoreTiers

        return FirestoreTiers(self._firestore, self._settings.default_tier)
