"""Queries on Cloud Firestore, page by page.

A page starts after the position of a snapshot, readable or not, so no number of unreadable
documents hides the later ones.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from google.cloud import firestore

from lumimd.adapters.firestore.calls import called
from lumimd.adapters.reading import readable
from lumimd.domain.document import Document
from lumimd.ports.paging import Cursor, Page

D = TypeVar("D", bound=Document)
T = TypeVar("T")

REFILL: Final = 100
"""Smallest page of a second read, after unreadable documents left a short list unfilled."""

Make = Callable[[D, Any], T]
"""Makes an item from a document and its snapshot."""


@dataclass(frozen=True)
class Listing(Generic[D, T]):
    """Documents of one kind, ordered by a field, and by id where values are equal."""

    kind: type[D]
    collection: str
    query: Any
    order: str
    make: Make[D, T]
    newest_first: bool = False

    async def page(self, limit: int, after: Cursor | None = None) -> Page[T]:
        """The next `limit` documents; some may be unreadable. One read per document."""
        direction = firestore.Query.DESCENDING if self.newest_first else firestore.Query.ASCENDING
        query = self.query.order_by(self.order, direction=direction)
        query = query.order_by("__name__", direction=direction).limit(limit)
        if after is not None:
            query = query.start_after({self.order: after.value, "__name__": after.id})
        snapshots = await called(lambda: query.get(retry=None))
        found = [(snapshot.id, snapshot.to_dict(), snapshot) for snapshot in snapshots]
        documents, unreadable = readable(self.kind, self.collection, found)
        cursor = None
        if len(found) == limit:
            last_id, stored, _ = found[-1]
            cursor = Cursor(_field(stored, self.order), last_id)
        return Page(tuple(self.make(*each) for each in documents), cursor, unreadable)

    async def filled(
        self,
        limit: int,
        after: Cursor | None = None,
        wanted: Callable[[T], bool] = lambda item: True,
    ) -> Page[T]:
        """The next `limit` readable documents that are `wanted`; fewer only at the end."""
        items: list[T] = []
        unreadable: tuple[str, ...] = ()
        size = limit
        while True:
            page = await self.page(size, after)
            items += filter(wanted, page.items)
            unreadable += page.unreadable
            if page.cursor is None or len(items) >= limit:
                return Page(tuple(items[:limit]), page.cursor, unreadable)
            after, size = page.cursor, max(limit, REFILL)


def _field(stored: dict[str, Any], path: str) -> Any:
    value: Any = stored
    for name in path.split("."):
        value = value[name]
    return value
