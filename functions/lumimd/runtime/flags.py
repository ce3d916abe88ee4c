"""The feature flags, built when first needed: one document in Firestore."""

from functools import cached_property
from typing import TYPE_CHECKING

from lumimd.coordination.flags import SharedFlags
from lumimd.domain.paths import OPS
from lumimd.policies.flags import Flags
from lumimd.ports.clock import Clock
from lumimd.ports.database import Database
from lumimd.ports.shared_documents import SharedDocuments
from lumimd.stores.shared_documents import KeyedDocuments


class FlagWiring:
    """Mixed into the services of a deployment."""

    if TYPE_CHECKING:  # attributes of the class that it is mixed into
        clock: Clock

        @property
        def _database(self) -> Database: ...

    @cached_property
    def flags(self) -> SharedFlags:
        """The flags, as this instance knows them."""
        return SharedFlags(self.flag_documents, self.clock)

    @cached_property
    def flag_documents(self) -> SharedDocuments[Flags]:
        """Firestore, over the same connection as the visits."""
        return KeyedDocuments(self._database, OPS, Flags)
