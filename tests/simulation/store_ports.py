"""The documents as the pipeline's ports.

`through` is the way to the documents and back: what may go wrong goes wrong there. One step of the
documents happens when the request arrives; the answer travels on its own.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

from lumimd.commit import Commit, Stored
from lumimd.dead_letter import DeadLetter
from lumimd.records import Action, Deletion, HistoryEntry, ProcessingStatus, Visit
from lumimd.transcript import Utterance
from tests.simulation.store import Documents

Through = Callable[[str, str | None, Callable[[], Any]], Awaitable[Any]]


async def at_once(operation: str, visit_id: str | None, effect: Callable[[], Any]) -> Any:
    await asyncio.sleep(0)
    return effect()


class SimulatedVisitStore:
    """The port. `through` is the way to the documents and back: what may go wrong goes wrong there.

    One step of `documents` happens when the request arrives; the answer travels on its own.
    """

    def __init__(self, documents: Documents, through: Through = at_once) -> None:
        self.documents = documents
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


class SimulatedDeletions:
    """The port of the receipts."""

    def __init__(self, documents: Documents, through: Through = at_once) -> None:
        self.documents = documents
        self._through = through

    async def get(self, visit_id: str) -> tuple[Deletion, object] | None:
        return await self._through(
            "receipt", visit_id, lambda: self.documents.receipts.get(visit_id)
        )

    async def begin(self, read: Stored, deletion: Deletion) -> None:
        await self._through(
            "begin_deletion",
            deletion.visit_id,
            lambda: self.documents.begin_deletion(read, deletion),
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

    async def due(self, now: datetime, limit: int) -> Sequence[Deletion]:
        return await self._through(
            "due_deletions", None, lambda: self.documents.due_deletions(now, limit)
        )

    async def erase(self, visit_id: str) -> dict[str, int]:
        return await self._through("erase", visit_id, lambda: self.documents.erase(visit_id))


class SimulatedArchive:
    """The port that tells visits by their age."""

    def __init__(self, documents: Documents, through: Through = at_once) -> None:
        self.documents = documents
        self._through = through

    async def with_audio(self, created_before: datetime, limit: int) -> Sequence[Visit]:
        return await self._oldest(created_before, limit, lambda v: v.audio_erased_at is None)

    async def between(self, after: datetime, before: datetime) -> Sequence[Visit]:
        return await self._oldest(before, 10**6, lambda v: v.created_at >= after)

    async def waiting(self, created_before: datetime, limit: int) -> Sequence[Visit]:
        pending = ProcessingStatus.PENDING
        return await self._oldest(created_before, limit, lambda v: v.processing_status is pending)

    async def older(self, created_before: datetime, limit: int) -> Sequence[Visit]:
        return await self._oldest(created_before, limit, lambda v: True)

    async def _oldest(
        self, created_before: datetime, limit: int, wanted: Callable[[Visit], bool]
    ) -> Sequence[Visit]:
        def effect() -> list[Visit]:
            visits = (stored.visit for stored in self.documents.visits.values())
            found = [v for v in visits if v.created_at <= created_before and wanted(v)]
            return sorted(found, key=lambda v: (v.created_at, v.visit_id))[:limit]

        return await self._through("archive", None, effect)
