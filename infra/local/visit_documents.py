"""The documents of a visit as clients read them; `scripts/demo` and `summarize` print them."""

from dataclasses import dataclass
from typing import Any

from lumimd.domain.transcript import Utterance
from lumimd.domain.visit import Action, HistoryEntry, Visit


@dataclass(frozen=True)
class VisitDocuments:
    """All documents of one visit that a client may read."""

    visit: Visit
    transcript: tuple[Utterance, ...]
    actions: tuple[Action, ...]
    history: tuple[HistoryEntry, ...]

    def to_stored(self) -> dict[str, Any]:
        """The documents as clients see them, in camelCase."""
        return {
            "visit": self.visit.to_stored(),
            "transcript": [each.to_stored() for each in self.transcript],
            "actions": [each.to_stored() for each in self.actions],
            "history": [each.to_stored() for each in self.history],
        }
