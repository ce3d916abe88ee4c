"""Guards for the owner's work on action items."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from lumimd.domain import owners_work
from lumimd.domain.commit import Commit, Stored, StoredAction
from lumimd.domain.visit import Action
from lumimd.pipeline import save
from tests.simulation.guard import Guard, put
from tests.simulation.store import Documents


def _replaced(earlier: Sequence[StoredAction], made: Sequence[Action]) -> Any:
    ids = tuple(each.action_id for each in made)
    gone = tuple(each.action.action_id for each in earlier if each.action.action_id not in ids)
    return owners_work.Merged(ids, tuple(made), gone, {})


_save = Documents.save


def _save_without_item_versions(self: Documents, read: Stored, commit: Commit) -> Stored:
    return _save(self, read, replace(commit, action_versions={}))


OWNERS_WORK: Final[Mapping[str, Guard]] = {
    "owners-work-survives": Guard(
        "another summary keeps the owner's changes to action items",
        put((save, "merged", _replaced)),
    ),
    "items-as-they-were-read": Guard(
        "a change to an item while a summary is saved is merged, and not overwritten",
        put((Documents, "save", _save_without_item_versions)),
    ),
    "worked-on-items-stay": Guard(
        "an item that the next summary lacks stays if the owner worked on it",
        put((owners_work, "is_worked_on", lambda action: False)),
    ),
}
