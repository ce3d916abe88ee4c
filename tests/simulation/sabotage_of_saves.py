"""Guards for a save, which is atomic, compares and sets, and leaves no stale documents."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from lumimd.domain.commit import Commit, Conflict, Stored
from tests.simulation.guard import Guard, put
from tests.simulation.store import Documents
from tests.simulation.store_ports import SimulatedVisitStore


def _save_any_version(self: Documents, read: Stored, commit: Commit) -> Stored:
    if commit.visit.visit_id not in self.visits:
        raise Conflict
    return self.write(commit)


_save = SimulatedVisitStore.save


async def _status_then_pages(self: SimulatedVisitStore, read: Stored, commit: Commit) -> Stored:
    if commit.pages is None:
        return await _save(self, read, commit)
    saved = await _save(self, read, replace(commit, pages=None))
    return await _save(self, saved, replace(commit, entries=(), visit=saved.visit))


async def _pages_then_status(self: SimulatedVisitStore, read: Stored, commit: Commit) -> Stored:
    if commit.pages is not None:
        pages = {page.page: page for page in commit.pages}
        visit_id = commit.visit.visit_id
        await self._through(
            "save", visit_id, lambda: self.documents.pages.setdefault(visit_id, {}).update(pages)
        )
    return await _save(self, read, replace(commit, pages=None))


async def _status_then_actions(self: SimulatedVisitStore, read: Stored, commit: Commit) -> Stored:
    if commit.actions is None:
        return await _save(self, read, commit)
    saved = await _save(self, read, replace(commit, actions=None))
    return await _save(self, saved, replace(commit, entries=(), visit=saved.visit))


_deletes = Commit.deletes


def _keeping(kind: str) -> Callable[[Commit], list[str]]:
    return lambda commit: [path for path in _deletes(commit) if kind not in path]


SAVES: Final[Mapping[str, Guard]] = {
    "save-precondition": Guard(
        "a worker that read an old version does not overwrite a newer one",
        put((Documents, "save", _save_any_version)),
    ),
    "create-precondition": Guard(
        "of two concurrent first events one creates the visit",
        put((Documents, "create", lambda self, commit: self.write(commit))),
    ),
    "atomic-checkpoint-status-first": Guard(
        "the status that announces a transcript is written together with its pages",
        put((SimulatedVisitStore, "save", _status_then_pages)),
    ),
    "atomic-checkpoint-pages-first": Guard(
        "only the worker that saves the status writes pages",
        put((SimulatedVisitStore, "save", _pages_then_status)),
    ),
    "atomic-completion": Guard(
        "action items are written in the commit that completes the visit",
        put((SimulatedVisitStore, "save", _status_then_actions)),
    ),
    "stale-pages-are-removed": Guard(
        "no page of an earlier recording remains",
        put((Commit, "deletes", _keeping("/transcript/"))),
    ),
    "stale-actions-are-removed": Guard(
        "no action item of an earlier attempt remains",
        put((Commit, "deletes", _keeping("actions/"))),
    ),
}
