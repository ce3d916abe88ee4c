"""Queries over the documents in memory, page by page, like `adapters/firestore/queries.py`."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, Generic, TypeVar

from lumimd.adapters.memory.documents import MemoryDocuments
from lumimd.adapters.memory.index import has
from lumimd.adapters.reading import readable
from lumimd.domain.document import Document
from lumimd.ports.paging import Cursor, Page

D = TypeVar("D", bound=Document)
T = TypeVar("T")

Where = Callable[[dict[str, Any]], bool]


@dataclass(frozen=True)
class Listing(Generic[D, T]):
    """Documents of one kind, ordered by a field; `where` filters the stored documents."""

    documents: MemoryDocuments
    kind: type[D]
    collection: str
    order: str
    make: Callable[[D, str], T]
    where: Where = lambda stored: True
    newest_first: bool = False

    def page(self, limit: int, after: Cursor | None = None) -> Page[T]:
        """The next `limit` documents; some may be unreadable."""
        in_order = self.documents.ordered(
            self.collection, self.order, after, newest_first=self.newest_first
        )
        found = list(islice(((at, each) for at, each in in_order if self.where(each)), limit))
        named = ((at.id, stored, f"{self.collection}/{at.id}") for at, stored in found)
        documents, unreadable = readable(self.kind, self.collection, named)
        cursor = found[-1][0] if len(found) == limit else None
        return Page(tuple(self.make(*each) for each in documents), cursor, unreadable)

    def filled(
        self,
        limit: int,
        after: Cursor | None = None,
        wanted: Callable[[T], bool] = lambda item: True,
    ) -> Page[T]:
        """The next `limit` readable documents that are `wanted`; fewer only at the end."""
        items: list[T] = []
        unreadable: tuple[str, ...] = ()
        while True:
            page = self.page(limit, after)
            items += filter(wanted, page.items)
            unreadable += page.unreadable
            if page.cursor is None or len(items) >= limit:
                return Page(tuple(items[:limit]), page.cursor, unreadable)
            after = page.cursor


def until(field: str, latest: datetime) -> Where:
    """Whether the field is an instant, and not after `latest`; other types do not match."""
    return between(field, None, latest)


def between(field: str, earliest: datetime | None, latest: datetime) -> Where:
    """Whether the field is an instant after `earliest`, and not after `latest`."""

    def holds(stored: dict[str, Any]) -> bool:
        value = stored[field]
        if not isinstance(value, datetime) or value > latest:
            return False
        return earliest is None or value > earliest

    return holds


def equal(stored: Any, **wanted: Any) -> bool:
    """Whether the document has these fields, with these values."""
    return all(has(stored, field) and stored[field] == value for field, value in wanted.items())
