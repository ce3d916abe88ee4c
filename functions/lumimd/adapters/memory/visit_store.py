"""The visit store over its own database in memory, with a listener."""

import json
from collections.abc import AsyncIterator
from typing import Any

from lumimd.adapters.memory.database import MemoryDatabase
from lumimd.domain.paths import visit_path
from lumimd.domain.visit import Visit
from lumimd.stores.visit_store import VisitStore


class MemoryVisitStore(VisitStore):
    """A visit store in memory; `raw` holds all documents, and other stores share its `database`."""

    database: MemoryDatabase

    def __init__(self) -> None:
        super().__init__(MemoryDatabase())
        self.raw = self.database.raw

    async def watch(self, visit_id: str) -> AsyncIterator[Visit]:
        """Yield the visit now and after every change, like a Firestore listener."""
        async for stored in self.database.watch(visit_path(visit_id)):
            yield Visit.from_stored(stored)

    def documents(self) -> dict[str, dict[str, Any]]:
        """Return all stored documents by path, for the checks of a test."""
        return json.loads(json.dumps(dict(self.raw), default=str))  # type: ignore[no-any-return]
