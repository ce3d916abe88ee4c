"""Receipts of deletions, and erasure of a visit's documents."""

from datetime import datetime
from typing import Protocol

from lumimd.domain.commit import Stored
from lumimd.domain.visit import Deletion, Hold, Visit
from lumimd.ports.paging import Cursor, Page


class Deletions(Protocol):
    """The receipts of deletions, and the documents to erase for them.

    Every save is a compare-and-set on the version that was read.
    """

    async def get(self, visit_id: str) -> tuple[Deletion, object] | None:
        """The receipt and its version; None if nothing was deleted."""
        ...

    async def begin(self, read: Stored, deletion: Deletion, again: object = None) -> None:
        """Delete the visit that was `read`, and write the receipt in the same commit.

        `again` is the version of the receipt of an earlier deletion, which the new one replaces.

        Raises:
            Conflict: the visit or the earlier receipt has changed, or the visit is held.
        """
        ...

    async def create(self, deletion: Deletion) -> None:
        """Write a receipt that belongs to no visit.

        Raises:
            Conflict: a receipt of that id exists.
        """
        ...

    async def save(self, read_version: object, deletion: Deletion) -> None:
        """Replace a receipt by compare-and-set.

        Raises:
            Conflict: it has changed since the read.
        """
        ...

    async def due(self, now: datetime, limit: int, after: Cursor | None = None) -> Page[Deletion]:
        """The next `limit` deletions with `wake_at <= now`, the longest overdue first."""
        ...

    async def since(
        self, requested_at: datetime, limit: int, after: Cursor | None = None
    ) -> Page[Deletion]:
        """The next `limit` deletions requested at `requested_at` or later, the oldest first."""
        ...

    async def hold_of(self, visit_id: str) -> Hold | None:
        """The mark of the legal hold of a visit, or None."""
        ...

    async def holds(self, limit: int, after: Cursor | None = None) -> Page[Hold]:
        """The next `limit` marks of legal holds, the oldest first."""
        ...

    async def visits_of(self, user_id: str, limit: int, after: Cursor | None = None) -> Page[Visit]:
        """The next `limit` visits of a user, the newest first."""
        ...

    async def visits_named(
        self, user_id: str, limit: int, after: Cursor | None = None
    ) -> Page[str]:
        """The visits of the next `limit` action items of a user, the newest first."""
        ...

    async def remains(self, visit_id: str) -> bool:
        """Whether any document of a visit exists, apart from the visit itself."""
        ...

    async def erase(self, visit_id: str) -> dict[str, int]:
        """Delete all documents of a visit that is itself deleted; the number of each kind.

        The kinds: `transcript`, `history`, `actions`, `deadLetters`.
        """
        ...
