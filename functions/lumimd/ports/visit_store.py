"""The store of visits and the documents around them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from lumimd.domain.commit import Commit, Stored, StoredAction
from lumimd.domain.dead_letter import DeadLetter
from lumimd.domain.transcript import Utterance
from lumimd.domain.visit import Action, HistoryEntry
from lumimd.ports.paging import Cursor, Page


class VisitStore(Protocol):
    """The visit documents. Every save is a compare-and-set on the version that was read."""

    async def get(self, visit_id: str) -> Stored | None:
        """The visit, or None."""
        ...

    async def create(self, commit: Commit) -> Stored:
        """Write a new visit.

        Raises:
            Conflict: it exists, or was deleted.
        """
        ...

    async def save(self, read: Stored, commit: Commit) -> Stored:
        """Replace a visit by compare-and-set.

        Raises:
            Conflict: it has changed since the read, or is gone.
        """
        ...

    async def due(self, now: datetime, limit: int, after: Cursor | None = None) -> Page[Stored]:
        """The next `limit` visits with `wake_at <= now`, the longest overdue first."""
        ...

    async def overdue(self, now: datetime, limit: int, after: Cursor | None = None) -> Page[Stored]:
        """The next `limit` visits with `overdue_at <= now`, the longest overdue first."""
        ...

    async def transcript(self, visit_id: str) -> tuple[Utterance, ...]:
        """The stored utterances in order; empty if there are none.

        Raises:
            UnreadableDocument: a page is unreadable; an incomplete transcript is never returned.
        """
        ...

    async def history(self, visit_id: str) -> tuple[HistoryEntry, ...]:
        """The timeline in order."""
        ...

    async def actions(self, visit_id: str) -> tuple[Action, ...]:
        """The action items of a visit, in order of their ids."""
        ...

    async def stored_actions(self, visit_id: str) -> Sequence[StoredAction]:
        """The action items of a visit with the versions for a compare-and-set."""
        ...

    async def dead_letter(self, visit_id: str) -> DeadLetter | None:
        """The dead letter of a failed visit, or None."""
        ...
