"""Paging cursors: a page ends at the position of its last document, readable or not."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Cursor(NamedTuple):
    """The end of a page: the stored value by which the query is ordered, then the document's id."""

    value: Any
    id: str


@dataclass(frozen=True)
class Page(Generic[T]):
    """The readable documents of one page, in order.

    `cursor` is the position of the page's last document, readable or not; None at the end of the
    query. `unreadable` are the ids that were skipped: these documents stay as they are, for a
    release that can read them.
    """

    items: tuple[T, ...]
    cursor: Cursor | None = None
    unreadable: tuple[str, ...] = ()

    @property
    def read(self) -> int:
        """The number of documents that the page read."""
        return len(self.items) + len(self.unreadable)


async def pages(ask: Callable[[Cursor | None], Awaitable[Page[T]]]) -> AsyncIterator[Page[T]]:
    """Every page of a query, to its end; `ask` gets the cursor of the previous page.

    Raises:
        Transient: the store is not available.
    """
    page = await ask(None)
    yield page
    while page.cursor is not None:
        page = await ask(page.cursor)
        yield page
