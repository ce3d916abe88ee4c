"""Pages of query results, and cursors: a page ends at its last document, readable or not."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Cursor(NamedTuple):
    """The position of a page's last document: its value in the query's order, and its id."""

    value: Any
    id: str


@dataclass(frozen=True)
class Page(Generic[T]):
    """The readable documents of one page, in the order of the query.

    `cursor` is the position of the page's last document, readable or not; None at the end of the
    query. `unreadable` lists the ids of skipped documents, which stay unchanged for a release that
    can read them.
    """

    items: tuple[T, ...]
    cursor: Cursor | None = None
    unreadable: tuple[str, ...] = ()

    @property
    def read(self) -> int:
        """The number of documents that the page read, readable or not."""
        return len(self.items) + len(self.unreadable)


async def pages(ask: Callable[[Cursor | None], Awaitable[Page[T]]]) -> AsyncIterator[Page[T]]:
    """Yield every page of a query; `ask` gets the cursor of the previous page.

    Raises:
        Transient: the store is not available.
    """
    page = await ask(None)
    yield page
    while page.cursor is not None:
        page = await ask(page.cursor)
        yield page
