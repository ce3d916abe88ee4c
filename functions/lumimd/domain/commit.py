"""One atomic write to the store: a visit and the documents around it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lumimd.domain.dead_letter import DeadLetter
from lumimd.domain.paths import (
    ACTIONS,
    DEAD_LETTERS,
    HOLDS,
    history_path,
    transcript_path,
    visit_path,
)
from lumimd.domain.transcript import TranscriptPage
from lumimd.domain.visit import Action, HistoryEntry, Hold, Visit


@dataclass(frozen=True)
class Stored:
    """A visit as read or written, with the opaque `version` of the store."""

    visit: Visit
    version: object


@dataclass(frozen=True)
class StoredAction:
    """An action item as read, with the opaque `version` of the store."""

    action: Action
    version: object


class Conflict(Exception):
    """The document changed since it was read, or exists already. Read again and decide again."""


@dataclass(frozen=True)
class Commit:
    """Documents that are written together, or not at all.

    `pages` replace the `stale_pages` pages that the visit has; None keeps them. `actions` are
    written and `stale_actions` deleted. Items in `action_versions` must still have these versions,
    since their owner writes to them as well. A failed visit gets a `dead_letter`; new work on the
    visit deletes it (`no_dead_letter`). A `hold` is written and deleted (`no_hold`) together with
    the visit that it protects.
    """

    visit: Visit
    entries: Sequence[HistoryEntry] = ()
    pages: Sequence[TranscriptPage] | None = None
    stale_pages: int = 0
    actions: Sequence[Action] | None = None
    stale_actions: Sequence[str] = ()
    action_versions: Mapping[str, object] = field(default_factory=dict)
    dead_letter: DeadLetter | None = None
    no_dead_letter: bool = False
    hold: Hold | None = None
    no_hold: bool = False

    def writes(self) -> dict[str, dict[str, Any]]:
        """The documents to write, by path; the visit comes first."""
        writes = {visit_path(self.visit.visit_id): self.visit.to_stored()}
        for entry in self.entries:
            writes[f"{history_path(self.visit.visit_id)}/{entry.position:06d}"] = entry.to_stored()
        for page in self.pages or ():
            writes[_page_path(self.visit, page.page)] = page.to_stored()
        for action in self.actions or ():
            writes[f"{ACTIONS}/{action.action_id}"] = action.to_stored()
        if self.dead_letter is not None:
            writes[_dead_letter_path(self.visit)] = self.dead_letter.to_stored()
        if self.hold is not None:
            writes[f"{HOLDS}/{self.visit.visit_id}"] = self.hold.to_stored()
        return writes

    def versions(self) -> dict[str, object]:
        """The versions that action items must still have, by path."""
        return {f"{ACTIONS}/{name}": version for name, version in self.action_versions.items()}

    def deletes(self) -> list[str]:
        """The paths of documents of an earlier attempt that this one does not have."""
        obsolete: list[str] = []
        if self.pages is not None:
            numbers = range(len(self.pages), self.stale_pages)
            obsolete += [_page_path(self.visit, number) for number in numbers]
        obsolete += [f"{ACTIONS}/{stale}" for stale in self.stale_actions]
        if self.no_dead_letter:
            obsolete.append(_dead_letter_path(self.visit))
        if self.no_hold:
            obsolete.append(f"{HOLDS}/{self.visit.visit_id}")
        return obsolete


def _dead_letter_path(visit: Visit) -> str:
    return f"{DEAD_LETTERS}/{visit.visit_id}"


def _page_path(visit: Visit, number: int) -> str:
    return f"{transcript_path(visit.visit_id)}/{number:06d}"
