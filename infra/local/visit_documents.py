"""Reads the documents of a visit as clients do, for `scripts/demo` and `scripts/summarize`."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from lumimd.domain.transcript import Utterance
from lumimd.domain.visit import Action, HistoryEntry, Visit
from lumimd.stores.visit_store import VisitStore


@dataclass(frozen=True)
class VisitDocuments:
    """All documents of one visit that a client may read."""

    visit: Visit
    transcript: tuple[Utterance, ...]
    actions: tuple[Action, ...]
    history: tuple[HistoryEntry, ...]

    @classmethod
    async def read(cls, store: VisitStore, visit_id: str) -> Self:
        """Read the stored documents of an existing visit."""
        stored = await store.get(visit_id)
        assert stored is not None
        return cls(
            stored.visit,
            await store.transcript(visit_id),
            await store.actions(visit_id),
            await store.history(visit_id),
        )

    def to_stored(self) -> dict[str, Any]:
        """Return the documents as clients see them, with keys in camelCase."""
        return {
            "visit": self.visit.to_stored(),
            "transcript": [each.to_stored() for each in self.transcript],
            "actions": [each.to_stored() for each in self.actions],
            "history": [each.to_stored() for each in self.history],
        }

    def to_json(self, indent: int | None = 2) -> Iterator[str]:
        """Yield the documents as pieces of JSON, with times in ISO 8601."""
        encoder = json.JSONEncoder(default=_plain, ensure_ascii=False, indent=indent)
        return encoder.iterencode(self.to_stored())


def _plain(value: Any) -> str:
    assert isinstance(value, datetime)
    return value.isoformat()
