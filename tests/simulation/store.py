"""Stores the documents of a simulation run (world) in memory, with strict version checks."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any, TypeVar

from lumimd.adapters.memory.database import MAX_DOCUMENT_BYTES, DocumentTooLarge
from lumimd.domain.commit import Commit, Conflict, Stored
from lumimd.domain.errors import UnreadableDocument
from lumimd.domain.transcript import TranscriptPage, Utterance, joined
from lumimd.domain.visit import Action, Deletion, HistoryEntry, Hold, Visit
from lumimd.ports.paging import Cursor, Page

T = TypeVar("T")

Saved = Callable[[Visit | None, Commit], None]


@dataclass
class Documents:
    """All stored documents, as frozen values; each method is atomic."""

    visits: dict[str, Stored] = field(default_factory=dict)
    pages: dict[str, dict[int, TranscriptPage]] = field(default_factory=dict)
    entries: dict[str, dict[int, HistoryEntry]] = field(default_factory=dict)
    actions: dict[str, Action] = field(default_factory=dict)
    others: dict[str, Any] = field(default_factory=dict)
    receipts: dict[str, tuple[Deletion, int]] = field(default_factory=dict)
    holds: dict[str, Hold] = field(default_factory=dict)
    restored: set[str] = field(default_factory=set)
    """Ids of visits that a backup restored while their deletion receipts exist."""
    on_saved: Saved = lambda before, commit: None
    on_deletion: Callable[[Visit | None], None] = lambda visit: None
    on_items_read: Callable[[str], None] = lambda visit_id: None
    checks_versions: bool = True
    queued: set[str] = field(default_factory=set)
    unreadable: set[str] = field(default_factory=set)
    """Ids of unreadable visits; `{id}/transcript` if only the visit's pages are unreadable."""
    can_read_all: Callable[[], bool] = lambda: False
    """Whether the current instance runs the newer release."""
    on_unreadable: Callable[[str], None] = lambda visit_id: None
    _versions: count = field(default_factory=lambda: count(1))
    _due: list[tuple[datetime, str]] = field(default_factory=list)
    _overdue: list[tuple[datetime, str]] = field(default_factory=list)

    def get(self, visit_id: str) -> Stored | None:
        """Return the visit, readable or not; for checks only."""
        return self.visits.get(visit_id)

    def read(self, visit_id: str) -> Stored | None:
        self._check("visits", visit_id in self.visits, visit_id)
        return self.visits.get(visit_id)

    def receipt(self, visit_id: str) -> tuple[Deletion, int] | None:
        self._check("deletions", visit_id in self.receipts, visit_id)
        return self.receipts.get(visit_id)

    def is_readable(self, visit_id: str) -> bool:
        return visit_id not in self.unreadable or self.can_read_all()

    def written_by_another(self, visit_id: str) -> None:
        """Let another release write the visit and its deletion receipt, so that reads are stale."""
        if visit_id in self.visits:
            self.visits[visit_id] = Stored(self.visits[visit_id].visit, next(self._versions))
        if visit_id in self.receipts:
            self.receipts[visit_id] = self.receipts[visit_id][0], next(self._versions)

    def _check(self, collection: str, exists: bool, visit_id: str) -> None:
        if exists and not self.is_readable(visit_id):
            self.on_unreadable(visit_id.partition("/")[0])
            raise UnreadableDocument(collection, visit_id)

    def create(self, commit: Commit) -> Stored:
        visit_id = commit.visit.visit_id
        if visit_id in self.visits or visit_id in self.receipts:
            raise Conflict
        return self.write(commit)

    def save(self, read: Stored, commit: Commit) -> Stored:
        present = self.visits.get(commit.visit.visit_id)
        if present is None or (self.checks_versions and present.version != read.version):
            raise Conflict
        as_read = commit.action_versions.items()
        if any(self.actions.get(action_id) != version for action_id, version in as_read):
            raise Conflict
        return self.write(commit)

    def due(self, now: datetime, limit: int, after: Cursor | None) -> Page[Stored]:
        return self._until(self._due, now, limit, after)

    def overdue(self, now: datetime, limit: int, after: Cursor | None) -> Page[Stored]:
        return self._until(self._overdue, now, limit, after)

    def _until(
        self, order: list[tuple[datetime, str]], now: datetime, limit: int, after: Cursor | None
    ) -> Page[Stored]:
        first = bisect_right(order, (after.value, after.id)) if after else 0
        cursors = [
            Cursor(at, visit_id) for at, visit_id in order[first : first + limit] if at <= now
        ]
        return self.page(cursors, limit, lambda visit_id: self.visits[visit_id])

    def page(self, cursors: list[Cursor], limit: int, read: Callable[[str], T]) -> Page[T]:
        """Return the page of these cursors, without unreadable documents."""
        return Page(
            tuple(read(cursor.id) for cursor in cursors if self.is_readable(cursor.id)),
            cursors[-1] if len(cursors) == limit else None,
            tuple(cursor.id for cursor in cursors if not self.is_readable(cursor.id)),
        )

    def first_wake_at(self) -> datetime | None:
        """Return the time at which the next visit or deletion is due."""
        times = [found.wake_at for found, _ in self.receipts.values() if found.wake_at]
        return min([*times, *(at for at, _ in (*self._due[:1], *self._overdue[:1]))], default=None)

    def transcript(self, visit_id: str) -> tuple[Utterance, ...]:
        self._check("transcript", visit_id in self.pages, visit_id)
        self._check("transcript", visit_id in self.pages, f"{visit_id}/transcript")
        return joined(self.pages.get(visit_id, {}).values())

    def history(self, visit_id: str) -> tuple[HistoryEntry, ...]:
        entries = self.entries.get(visit_id, {})
        return tuple(entries[position] for position in sorted(entries))

    def actions_of(self, visit_id: str) -> tuple[Action, ...]:
        found = (self.actions[action_id] for action_id in sorted(self.actions))
        return tuple(action for action in found if action.visit_id == visit_id)

    def items_to_merge(self, visit_id: str) -> tuple[Action, ...]:
        """Return the visit's action items, which a worker reads before it saves a new summary."""
        self.on_items_read(visit_id)
        return self.actions_of(visit_id)

    def write(self, commit: Commit) -> Stored:
        """Write everything in `commit`, without a version check."""
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
        if commit.hold is not None:
            self.holds[visit_id] = commit.hold
        stored = self._put(present, commit.visit)
        self.on_saved(present.visit if present else None, commit)
        return stored

    def edit(self, visit_id: str, **fields: Any) -> None:
        """Change fields of the visit, as an owner does in the database without the API."""
        present = self.visits[visit_id]
        self._put(present, present.visit.model_copy(update=fields))

    def begin_deletion(self, read: Stored, deletion: Deletion, again: object = None) -> None:
        """Replace the visit, and an earlier deletion receipt `again`, by the deletion receipt."""
        visit_id = deletion.visit_id
        present = self.visits.get(visit_id)
        _, earlier = self.receipts.get(visit_id, (None, None))
        if present is None or present.version != read.version or earlier != again:
            raise Conflict
        if visit_id in self.holds:
            raise Conflict
        self._forget_wake_up(present.visit)
        del self.visits[visit_id]
        self.restored.discard(visit_id)
        self.queued.discard(visit_id)
        self.receipts[visit_id] = deletion, next(self._versions)
        self.on_deletion(present.visit)

    def create_receipt(self, deletion: Deletion) -> None:
        """Write the deletion receipt, unless one exists."""
        if deletion.visit_id in self.receipts:
            raise Conflict
        self.receipts[deletion.visit_id] = deletion, next(self._versions)
        self.on_deletion(None)

    def save_deletion(self, read_version: object, deletion: Deletion) -> None:
        """Write the deletion receipt by compare-and-set."""
        found = self.receipts.get(deletion.visit_id)
        if found is None or found[1] != read_version:
            raise Conflict
        self.receipts[deletion.visit_id] = deletion, next(self._versions)
        self.on_deletion(None)

    def due_deletions(self, now: datetime, limit: int, after: Cursor | None) -> Page[Deletion]:
        """Return due deletions, the longest overdue first."""
        waiting = ((found.wake_at, found.visit_id) for found, _ in self.receipts.values())
        due = sorted(Cursor(*each) for each in waiting if each[0] and each[0] <= now)
        cursors = [cursor for cursor in due if after is None or cursor > after][:limit]
        return self.page(cursors, limit, lambda visit_id: self.receipts[visit_id][0])

    def deletions_since(
        self, requested_at: datetime, limit: int, after: Cursor | None
    ) -> Page[Deletion]:
        """Return deletion receipts, the oldest first."""
        found = (each for each, _ in self.receipts.values() if each.requested_at >= requested_at)
        in_order = sorted(Cursor(each.requested_at, each.visit_id) for each in found)
        cursors = [cursor for cursor in in_order if after is None or cursor > after][:limit]
        return self.page(cursors, limit, lambda visit_id: self.receipts[visit_id][0])

    def holds_after(self, limit: int, after: Cursor | None) -> Page[Hold]:
        """Return legal holds, the oldest first."""
        in_order = sorted(Cursor(each.held_at, each.visit_id) for each in self.holds.values())
        cursors = [cursor for cursor in in_order if after is None or cursor > after][:limit]
        return Page(
            tuple(self.holds[cursor.id] for cursor in cursors),
            cursors[-1] if len(cursors) == limit else None,
        )

    def visits_of(self, user_id: str, limit: int, after: Cursor | None) -> Page[Visit]:
        """Return the visits of a user, the newest first."""
        visits = (stored.visit for stored in self.visits.values())
        found = (
            Cursor(visit.created_at, visit.visit_id) for visit in visits if visit.user_id == user_id
        )
        cursors = newest_first(found, limit, after)
        return self.page(cursors, limit, lambda visit_id: self.visits[visit_id].visit)

    def visits_named(self, user_id: str, limit: int, after: Cursor | None) -> Page[str]:
        """Return the visit ids of a user's action items, the newest item first."""
        actions = (action for action in self.actions.values() if action.user_id == user_id)
        found = (Cursor(action.created_at, action.action_id) for action in actions)
        cursors = newest_first(found, limit, after)
        return self.page(cursors, limit, lambda action_id: self.actions[action_id].visit_id)

    def remains(self, visit_id: str) -> bool:
        """Whether documents of a visit exist besides the visit document."""
        of_visit = self.pages.get(visit_id) or self.entries.get(visit_id)
        dead = f"deadLetters/{visit_id}" in self.others
        return bool(of_visit or dead or self.actions_of(visit_id))

    def erase(self, visit_id: str) -> dict[str, int]:
        """Delete all documents of a visit except the visit document; return the counts by kind."""
        actions = self.actions_of(visit_id)
        for action in actions:
            del self.actions[action.action_id]
        return {
            "transcript": len(self.pages.pop(visit_id, {})),
            "history": len(self.entries.pop(visit_id, {})),
            "actions": len(actions),
            "deadLetters": int(self.others.pop(f"deadLetters/{visit_id}", None) is not None),
        }

    def _put(self, present: Stored | None, visit: Visit) -> Stored:
        if present is not None:
            self._forget_wake_up(present.visit)
        if visit.wake_at is not None:
            insort(self._due, (visit.wake_at, visit.visit_id))
        if visit.overdue_at is not None:
            insort(self._overdue, (visit.overdue_at, visit.visit_id))
        (self.queued.discard if visit.turn is None else self.queued.add)(visit.visit_id)
        stored = Stored(visit, next(self._versions))
        self.visits[visit.visit_id] = stored
        return stored

    def _forget_wake_up(self, visit: Visit) -> None:
        if visit.wake_at is not None:
            del self._due[bisect_left(self._due, (visit.wake_at, visit.visit_id))]
        if visit.overdue_at is not None:
            del self._overdue[bisect_left(self._overdue, (visit.overdue_at, visit.visit_id))]

    def _remove_obsolete(self, commit: Commit) -> None:
        if commit.no_hold:
            self.holds.pop(commit.visit.visit_id, None)
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


def _check_sizes(commit: Commit) -> None:
    """Refuse a transcript page that is too large for Firestore; other documents are short."""
    for page in commit.pages or ():
        if sum(len(utterance.text) for utterance in page.utterances) > MAX_DOCUMENT_BYTES // 4 and (
            len(page.model_dump_json().encode()) > MAX_DOCUMENT_BYTES
        ):
            raise DocumentTooLarge(f"page {page.page}")


def newest_first(found: Iterable[Cursor], limit: int, after: Cursor | None) -> list[Cursor]:
    """Return the next `limit` cursors after `after`, the newest first."""
    in_order = sorted(found, reverse=True)
    return [cursor for cursor in in_order if after is None or cursor < after][:limit]
