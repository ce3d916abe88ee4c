"""One atomic write to the store: a visit and the documents that belong to it."""

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
    """The document changed since it was read, or already exists; the caller reads it again."""


@dataclass(frozen=True)
class Commit:
    """A set of documents that are written together, or not at all.

    `pages` replace the `stale_pages` stored pages of the visit; None keeps the stored pages.
    `actions` are written and `stale_actions` deleted. Action items in `action_versions` must still
    have these versions, since their owner writes to them as well. A failed visit gets a
    `dead_letter`; new work on the visit deletes the dead letter (`no_dead_letter`). The mark of a
    legal hold is written (`hold`) and deleted (`no_hold`) together with the visit that it protects.
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
        """Return the documents to write, by path; the visit comes first."""
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
        """Return the versions that action items must still have, by path."""
        return {f"{ACTIONS}/{name}": version for name, version in self.action_versions.items()}

    def deletes(self) -> list[str]:
        """Return the paths of documents that exist and that this commit makes obsolete."""
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
