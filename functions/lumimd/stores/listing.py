"""Reads the results of queries page by page.

A page starts after the position of a document, readable or not, so that unreadable documents never
hide later documents.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from lumimd.domain.commit import Stored
from lumimd.domain.document import Document
from lumimd.domain.visit import Visit
from lumimd.ports.database import Database, Query, Snapshot
from lumimd.ports.paging import Cursor, Page
from lumimd.stores.reading import readable

D = TypeVar("D", bound=Document)
T = TypeVar("T")

REFILL: Final = 100
"""The smallest page of a second read, after unreadable documents left a short list incomplete."""


@dataclass(frozen=True)
class Listing(Generic[D, T]):
    """The documents of one kind that `query` finds, in its order and converted to items."""

    database: Database
    kind: type[D]
    query: Query
    make: Callable[[D, Snapshot], T]

    async def page(self, limit: int, after: Cursor | None = None) -> Page[T]:
        """Return the readable documents among the next `limit` documents. One read per document."""
        assert self.query.order is not None
        found = await self.database.find(self.query, limit, after)
        named = ((each.id, each.fields, each) for each in found)
        documents, unreadable = readable(self.kind, self.query.collection, named)
        cursor = None
        if len(found) == limit:
            cursor = Cursor(found[-1].fields[self.query.order], found[-1].id)
        return Page(tuple(self.make(*each) for each in documents), cursor, unreadable)

    async def filled(
        self,
        limit: int,
        after: Cursor | None = None,
        wanted: Callable[[T], bool] = lambda item: True,
    ) -> Page[T]:
        """Return the next `limit` readable documents that are `wanted`; fewer only at the end."""
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


def itself(document: D, _snapshot: Snapshot) -> D:
    """Return the document without its version, as an item of a list."""
    return document


def stored(visit: Visit, snapshot: Snapshot) -> Stored:
    """Return the visit with its version, as an item of a list."""
    return Stored(visit, snapshot.version)
