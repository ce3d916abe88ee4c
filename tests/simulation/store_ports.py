"""Implements the pipeline's store ports over the simulated documents.

`through` carries each request and its answer, and injects faults. The atomic step on the documents
happens when the request arrives; the answer may then be lost or late.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from lumimd.domain.commit import Commit, Stored, StoredAction
from lumimd.domain.dead_letter import DeadLetter
from lumimd.domain.transcript import Utterance
from lumimd.domain.visit import Action, Deletion, HistoryEntry, Hold, ProcessingStatus, Visit
from lumimd.ports.paging import Cursor, Page
from tests.simulation.store import Documents


class InjectedBug(Exception):
    pass


Through = Callable[[str, str | None, Callable[[], Any]], Awaitable[Any]]


async def at_once(operation: str, visit_id: str | None, effect: Callable[[], Any]) -> Any:
    await asyncio.sleep(0)
    return effect()


class SimulatedVisitStore:
    def __init__(self, documents: Documents, through: Through = at_once) -> None:
        self.documents = documents
        self._through = through

    async def get(self, visit_id: str) -> Stored | None:
        return await self._through("get", visit_id, lambda: self.documents.read(visit_id))

    async def create(self, commit: Commit) -> Stored:
        visit_id = commit.visit.visit_id
        return await self._through("create", visit_id, lambda: self.documents.create(commit))

    async def save(self, read: Stored, commit: Commit) -> Stored:
        visit_id = commit.visit.visit_id
        return await self._through("save", visit_id, lambda: self.documents.save(read, commit))

    async def due(self, now: datetime, limit: int, after: Cursor | None = None) -> Page[Stored]:
        return await self._through("due", None, lambda: self.documents.due(now, limit, after))

    async def overdue(self, now: datetime, limit: int, after: Cursor | None = None) -> Page[Stored]:
        return await self._through(
            "overdue", None, lambda: self.documents.overdue(now, limit, after)
        )

    async def transcript(self, visit_id: str) -> tuple[Utterance, ...]:
        return await self._through(
            "transcript", visit_id, lambda: self.documents.transcript(visit_id)
        )

    async def history(self, visit_id: str) -> tuple[HistoryEntry, ...]:
        return await self._through("history", visit_id, lambda: self.documents.history(visit_id))

    async def actions(self, visit_id: str) -> tuple[Action, ...]:
        return await self._through("actions", visit_id, lambda: self.documents.actions_of(visit_id))

    async def stored_actions(self, visit_id: str) -> tuple[StoredAction, ...]:
        # The version of an action item is its frozen value.
        found = await self._through(
            "actions", visit_id, lambda: self.documents.items_to_merge(visit_id)
        )
        return tuple(StoredAction(action, action) for action in found)

    async def dead_letter(self, visit_id: str) -> DeadLetter | None:
        path = f"deadLetters/{visit_id}"
        return await self._through("dead_letter", visit_id, lambda: self.documents.others.get(path))


class SimulatedDeletions:
    """A stub of the store of deletions; while `is_broken`, `due` raises an injected bug."""

    def __init__(self, documents: Documents, through: Through = at_once) -> None:
        self.documents = documents
        self.is_broken = False
        self._through = through

    async def get(self, visit_id: str) -> tuple[Deletion, object] | None:
        return await self._through("receipt", visit_id, lambda: self.documents.receipt(visit_id))

    async def begin(self, read: Stored, deletion: Deletion, again: object = None) -> None:
        await self._through(
            "begin_deletion",
            deletion.visit_id,
            lambda: self.documents.begin_deletion(read, deletion, again),
        )

    async def create(self, deletion: Deletion) -> None:
        await self._through(
            "create_deletion",
            deletion.visit_id,
            lambda: self.documents.create_receipt(deletion),
        )

    async def save(self, read_version: object, deletion: Deletion) -> None:
        await self._through(
            "save_deletion",
            deletion.visit_id,
            lambda: self.documents.save_deletion(read_version, deletion),
        )

    async def due(self, now: datetime, limit: int, after: Cursor | None = None) -> Page[Deletion]:
        if self.is_broken:
            raise InjectedBug
        return await self._through(
            "due_deletions", None, lambda: self.documents.due_deletions(now, limit, after)
        )

    async def since(
        self, requested_at: datetime, limit: int, after: Cursor | None = None
    ) -> Page[Deletion]:
        return await self._through(
            "deletions_since",
            None,
            lambda: self.documents.deletions_since(requested_at, limit, after),
        )

    async def hold_of(self, visit_id: str) -> Hold | None:
        # Without faults: most visits have no hold, and the read before this read may fail already.
        if visit_id not in self.documents.holds:
            return None
        return await self._through("hold_of", visit_id, lambda: self.documents.holds.get(visit_id))

    async def holds(self, limit: int, after: Cursor | None = None) -> Page[Hold]:
        return await self._through("holds", None, lambda: self.documents.holds_after(limit, after))

    async def visits_of(self, user_id: str, limit: int, after: Cursor | None = None) -> Page[Visit]:
        return await self._through(
            "visits_of", None, lambda: self.documents.visits_of(user_id, limit, after)
        )

    async def visits_named(
        self, user_id: str, limit: int, after: Cursor | None = None
    ) -> Page[str]:
        return await self._through(
            "visits_named", None, lambda: self.documents.visits_named(user_id, limit, after)
        )

    async def remains(self, visit_id: str) -> bool:
        return await self._through("remains", visit_id, lambda: self.documents.remains(visit_id))

    async def erase(self, visit_id: str) -> dict[str, int]:
        return await self._through("erase", visit_id, lambda: self.documents.erase(visit_id))


class SimulatedArchive:
    """A stub of the retention queries, which list visits by age."""

    def __init__(self, documents: Documents, through: Through = at_once) -> None:
        self.documents = documents
        self._through = through

    async def with_audio(
        self, created_before: datetime, limit: int, after: Cursor | None = None
    ) -> Page[Stored]:
        return await self._oldest(created_before, limit, after, lambda v: v.audio_erased_at is None)

    async def between(
        self, created_after: datetime, before: datetime, limit: int, after: Cursor | None = None
    ) -> Page[Stored]:
        return await self._oldest(before, limit, after, lambda v: v.created_at > created_after)

    async def waiting(
        self, created_before: datetime, limit: int, after: Cursor | None = None
    ) -> Page[Stored]:
        pending = ProcessingStatus.PENDING
        return await self._oldest(
            created_before, limit, after, lambda v: v.processing_status is pending
        )

    async def older(
        self, created_before: datetime, limit: int, after: Cursor | None = None
    ) -> Page[Stored]:
        return await self._oldest(created_before, limit, after, lambda v: True)

    async def _oldest(
        self,
        created_before: datetime,
        limit: int,
        after: Cursor | None,
        wanted: Callable[[Visit], bool],
    ) -> Page[Stored]:
        def effect() -> Page[Stored]:
            visits = (stored.visit for stored in self.documents.visits.values())
            found = sorted(
                Cursor(v.created_at, v.visit_id)
                for v in visits
                if v.created_at <= created_before and wanted(v)
            )
            cursors = [cursor for cursor in found if after is None or cursor > after][:limit]
            return self.documents.page(cursors, limit, lambda id_: self.documents.visits[id_])

        return await self._through("archive", None, effect)
