"""Paging cursors: a page names the place of its last document, readable or not."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Cursor(NamedTuple):
    """Where a page ended: the stored value that the query orders by, then the document's id."""

    value: Any
    id: str


@dataclass(frozen=True)
class Page(Generic[T]):
    """The documents of one page that could be read, in order.

    `cursor` is the place of the page's last document, readable or not; None at the end of the
    query. `unreadable` are the ids that were passed over: they stay as they are, for a release
    that can read them.
    """

    items: tuple[T, ...]
    cursor: Cursor | None = None
    unreadable: tuple[str, ...] = ()

    @property
    def read(self) -> int:
        """How many documents the page cost."""
        return len(self.items) + len(self.unreadable)


async def pages(ask: Callable[[Cursor | None], Awaitable[Page[T]]]) -> AsyncIterator[Page[T]]:
    """Every page of a query, to its end; `ask` gets the cursor of the page before.

    Raises:
        Transient: the store is not available.
    """
    page = await ask(None)
    yield page
    while page.cursor is not None:
        page = await ask(page.cursor)
        yield page
