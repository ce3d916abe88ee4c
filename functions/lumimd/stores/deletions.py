"""The store of deletion receipts, which also deletes the documents of visits."""

from datetime import datetime
from typing import Final

from lumimd.domain.commit import Stored
from lumimd.domain.paths import (
    ACTIONS,
    DEAD_LETTERS,
    DELETIONS,
    HOLDS,
    VISITS,
    history_path,
    transcript_path,
    visit_path,
)
from lumimd.domain.visit import Deletion, Hold, OfVisit, Visit
from lumimd.ports.database import ID, Database, Query, Write
from lumimd.ports.paging import Cursor, Page
from lumimd.stores.listing import Listing, itself
from lumimd.stores.reading import read

AT_ONCE: Final = 300
"""The number of documents that one commit deletes; Firestore allows 500 writes per commit."""


class Deletions:
    """The deletion receipts, one per visit, and the documents that a deletion erases.

    Every save is a compare-and-set on the version that was read.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, visit_id: str) -> tuple[Deletion, object] | None:
        """Return the deletion receipt of a visit and its version, or None. One read."""
        found = await self._database.get(f"{DELETIONS}/{visit_id}")
        return (read(Deletion, DELETIONS, visit_id, found.fields), found.version) if found else None

    async def begin(self, read: Stored, deletion: Deletion, again: object = None) -> None:
        """Delete the visit that was `read`, and write the deletion receipt in the same commit.

        `again` is the version of an earlier deletion receipt, which the new receipt replaces.

        Raises:
            Conflict: the visit or the earlier receipt has changed, or the visit is under legal
            hold.
        """
        await self._database.commit(
            Write(visit_path(deletion.visit_id), None, read.version),
            _receipt(deletion, again),
            unless_held(deletion.visit_id),
        )

    async def create(self, deletion: Deletion) -> None:
        """Write a deletion receipt without deleting a visit.

        Raises:
            Conflict: a deletion receipt with that id exists.
        """
        await self._database.commit(_receipt(deletion, None))

    async def save(self, read_version: object, deletion: Deletion) -> None:
        """Replace a deletion receipt by compare-and-set.

        Raises:
            Conflict: the receipt has changed since the read.
        """
        await self._database.commit(_receipt(deletion, read_version))

    async def due(self, now: datetime, limit: int, after: Cursor | None = None) -> Page[Deletion]:
        """Return the next `limit` deletions with `wake_at <= now`, the longest overdue first."""
        due = Query(DELETIONS, "wakeAt").where("wakeAt", "<=", now)
        return await Listing(self._database, Deletion, due, itself).page(limit, after)

    async def since(
        self, requested_at: datetime, limit: int, after: Cursor | None = None
    ) -> Page[Deletion]:
        """Return the next `limit` deletions since `requested_at`, the oldest first."""
        newer = Query(DELETIONS, "requestedAt").where("requestedAt", ">=", requested_at)
        return await Listing(self._database, Deletion, newer, itself).page(limit, after)

    async def hold_of(self, visit_id: str) -> Hold | None:
        """Return the mark of a visit's legal hold, or None. One read."""
        found = await self._database.get(f"{HOLDS}/{visit_id}")
        return read(Hold, HOLDS, visit_id, found.fields) if found else None

    async def holds(self, limit: int, after: Cursor | None = None) -> Page[Hold]:
        """Return the next `limit` marks of legal holds, the oldest first."""
        return await Listing(self._database, Hold, Query(HOLDS, "heldAt"), itself).page(
            limit, after
        )

    async def visits_of(self, user_id: str, limit: int, after: Cursor | None = None) -> Page[Visit]:
        """Return the next `limit` visits of a user, the newest first."""
        visits = Query(VISITS, "createdAt", newest_first=True).where("userId", "==", user_id)
        return await Listing(self._database, Visit, visits, itself).page(limit, after)

    async def visits_named(
        self, user_id: str, limit: int, after: Cursor | None = None
    ) -> Page[str]:
        """Return the visit ids of the user's next `limit` action items, the newest first."""
        fields = ("visitId", "createdAt")
        items = Query(ACTIONS, "createdAt", newest_first=True, fields=fields)
        named = Listing(
            self._database,
            OfVisit,
            items.where("userId", "==", user_id),
            lambda item, _: item.visit_id,
        )
        return await named.page(limit, after)

    async def remains(self, visit_id: str) -> bool:
        """Whether any document of a visit exists, other than the visit itself. Four reads."""
        for query in _documents_of(visit_id).values():
            if await self._database.find(query, 1):
                return True
        return False

    async def erase(self, visit_id: str) -> dict[str, int]:
        """Delete all documents of a visit that is already deleted, and return their number by kind.

        The kinds are `transcript`, `history`, `actions` and `deadLetters`. Costs one read and one
        delete per document.
        """
        found = _documents_of(visit_id).items()
        return {kind: await self._erase(query) for kind, query in found}

    async def _erase(self, query: Query) -> int:
        erased = 0
        while found := await self._database.find(query, AT_ONCE):
            paths = (f"{query.collection}/{each.id}" for each in found)
            await self._database.commit(*(Write(path, None) for path in paths))
            erased += len(found)
        return erased


def unless_held(visit_id: str) -> Write:
    """Return a write that makes its commit fail while the visit is under legal hold.

    The write deletes the mark of the hold on the precondition that no mark exists. So without a
    legal hold it deletes nothing.
    """
    return Write(f"{HOLDS}/{visit_id}", None, if_version=None)


def _receipt(deletion: Deletion, read_version: object | None) -> Write:
    return Write(f"{DELETIONS}/{deletion.visit_id}", deletion.to_stored(), read_version)


def _documents_of(visit_id: str) -> dict[str, Query]:
    return {
        "transcript": Query(transcript_path(visit_id)),
        "history": Query(history_path(visit_id)),
        "actions": Query(ACTIONS).where("visitId", "==", visit_id),
        # The dead letter is found by its id, because its fields may be unreadable or missing.
        "deadLetters": Query(DEAD_LETTERS).where(ID, "==", visit_id),
    }
