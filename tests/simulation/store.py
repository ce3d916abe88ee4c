"""The documents, kept as the frozen values they are: strict about versions, and fast."""

import asyncio
from bisect import bisect_left, bisect_right, insort
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any, TypeVar

from lumimd.adapters.memory.store import MAX_DOCUMENT_BYTES, DocumentTooLarge
from lumimd.ports import Commit, Conflict, Stored
from lumimd.records import Action, DeadLetter, HistoryEntry, Visit
from lumimd.transcript import TranscriptPage, Utterance, joined

T = TypeVar("T")

Saved = Callable[[Visit | None, Commit], None]


@dataclass
class Documents:
    """What is stored. Every method is one step: nothing comes between its beginning and its end."""

    visits: dict[str, Stored] = field(default_factory=dict)
    pages: dict[str, dict[int, TranscriptPage]] = field(default_factory=dict)
    entries: dict[str, dict[int, HistoryEntry]] = field(default_factory=dict)
    actions: dict[str, Action] = field(default_factory=dict)
    others: dict[str, Any] = field(default_factory=dict)
    on_saved: Saved = lambda before, commit: None
    checks_versions: bool = True
    _versions: count = field(default_factory=lambda: count(1))
    _due: list[tuple[datetime, str]] = field(default_factory=list)

    def get(self, visit_id: str) -> Stored | None:
        return self.visits.get(visit_id)

    def create(self, commit: Commit) -> Stored:
        if commit.visit.visit_id in self.visits:
            raise Conflict
        return self.write(commit)

    def save(self, read: Stored, commit: Commit) -> Stored:
        present = self.visits.get(commit.visit.visit_id)
        if present is None or (self.checks_versions and present.version != read.version):
            raise Conflict
        return self.write(commit)

    def due(self, now: datetime, limit: int, after: Stored | None) -> list[Stored]:
        first = 0
        if after is not None:
            assert after.visit.wake_at is not None
            first = bisect_right(self._due, (after.visit.wake_at, after.visit.visit_id))
        due: list[Stored] = []
        for wake_at, visit_id in self._due[first : first + limit]:
            if wake_at > now:
                break
            due.append(self.visits[visit_id])
        return due

    def first_wake_at(self) -> datetime | None:
        """When the next visit is due."""
        return self._due[0][0] if self._due else None

    def transcript(self, visit_id: str) -> tuple[Utterance, ...]:
        return joined(self.pages.get(visit_id, {}).values())

    def history(self, visit_id: str) -> tuple[HistoryEntry, ...]:
        entries = self.entries.get(visit_id, {})
        return tuple(entries[position] for position in sorted(entries))

    def actions_of(self, visit_id: str) -> tuple[Action, ...]:
        found = (self.actions[action_id] for action_id in sorted(self.actions))
        return tuple(action for action in found if action.visit_id == visit_id)

    def write(self, commit: Commit) -> Stored:
        """Write all of `commit`, whatever is there."""
        _check_sizes(commit)
        visit_id = commit.visit.visit_id
        present = self.visits.get(visit_id)
        self._remove_obsolete(commit)
        if commit.entries:
            lines = self.entries.setdefault(visit_id, {})
            for entry in commit.entries:
                lines[entry.position] = entry
        if commit.pages is not None:
            pages = self.pages.setdefault(visit_id, {})
            for page in commit.pages:
                pages[page.page] = page
        for action in commit.actions or ():
            self.actions[action.action_id] = action
        if commit.dead_letter is not None:
            self.others[f"deadLetters/{visit_id}"] = commit.dead_letter
        stored = self._put(present, commit.visit)
        self.on_saved(present.visit if present else None, commit)
        return stored

    def edit(self, visit_id: str, **fields: Any) -> None:
        """What the owner changes directly, without asking anybody."""
        present = self.visits[visit_id]
        self._put(present, present.visit.model_copy(update=fields))

    def delete(self, visit_id: str) -> None:
        """Remove the visit with everything that belongs to it."""
        present = self.visits.pop(visit_id)
        self._forget_wake_up(present.visit)
        self.pages.pop(visit_id, None)
        self.entries.pop(visit_id, None)
        for action in self.actions_of(visit_id):
            del self.actions[action.action_id]

    def _put(self, present: Stored | None, visit: Visit) -> Stored:
        if present is not None:
            self._forget_wake_up(present.visit)
        if visit.wake_at is not None:
            insort(self._due, (visit.wake_at, visit.visit_id))
        stored = Stored(visit, next(self._versions))
        self.visits[visit.visit_id] = stored
        return stored

    def _forget_wake_up(self, visit: Visit) -> None:
        if visit.wake_at is not None:
            del self._due[bisect_left(self._due, (visit.wake_at, visit.visit_id))]

    def _remove_obsolete(self, commit: Commit) -> None:
        if not (commit.stale_pages or commit.stale_actions or commit.no_dead_letter):
            return
        for path in commit.deletes():
            collection, name, *rest = path.split("/")
            if collection == "actions":
                self.actions.pop(name, None)
            elif rest and rest[0] == "transcript":
                self.pages.get(name, {}).pop(int(rest[1]), None)
            else:
                self.others.pop(path, None)


Through = Callable[[str, str | None, Callable[[], Any]], Awaitable[Any]]


async def _at_once(operation: str, visit_id: str | None, effect: Callable[[], Any]) -> Any:
    await asyncio.sleep(0)
    return effect()


class SimulatedVisitStore:
    """The port. `through` is the way to the documents and back: what may go wrong goes wrong there.

    One step of `documents` happens when the request arrives; the answer travels on its own.
    """

    def __init__(self, documents: Documents | None = None, through: Through = _at_once) -> None:
        self.documents = documents or Documents()
        self._through = through

    async def get(self, visit_id: str) -> Stored | None:
        return await self._through("get", visit_id, lambda: self.documents.get(visit_id))

    async def create(self, commit: Commit) -> Stored:
        visit_id = commit.visit.visit_id
        return await self._through("create", visit_id, lambda: self.documents.create(commit))

    async def save(self, read: Stored, commit: Commit) -> Stored:
        visit_id = commit.visit.visit_id
        return await self._through("save", visit_id, lambda: self.documents.save(read, commit))

    async def due(self, now: datetime, limit: int, after: Stored | None = None) -> Sequence[Stored]:
        return await self._through("due", None, lambda: self.documents.due(now, limit, after))

    async def transcript(self, visit_id: str) -> tuple[Utterance, ...]:
        return await self._through(
            "transcript", visit_id, lambda: self.documents.transcript(visit_id)
        )

    async def history(self, visit_id: str) -> tuple[HistoryEntry, ...]:
        return await self._through("history", visit_id, lambda: self.documents.history(visit_id))

    async def actions(self, visit_id: str) -> tuple[Action, ...]:
        return await self._through("actions", visit_id, lambda: self.documents.actions_of(visit_id))

    async def dead_letter(self, visit_id: str) -> DeadLetter | None:
        path = f"deadLetters/{visit_id}"
        return await self._through("dead_letter", visit_id, lambda: self.documents.others.get(path))


def _check_sizes(commit: Commit) -> None:
    """Refuse a page that Firestore would refuse; nothing else in a simulated visit is long."""
    for page in commit.pages or ():
        if sum(len(utterance.text) for utterance in page.utterances) > MAX_DOCUMENT_BYTES // 4 and (
            len(page.model_dump_json().encode()) > MAX_DOCUMENT_BYTES
        ):
            raise DocumentTooLarge(f"page {page.page}")
