"""Lists in pages. A cursor is opaque to clients and gives the end of the previous page."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Generic, TypeVar

from fastapi import Depends, Query
from pydantic import Field

from lumimd.domain.document import Document
from lumimd.domain.ids import ID
from lumimd.stores.owner_queries import ListPosition

T = TypeVar("T")
V = TypeVar("V")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_CURSOR: Final = rf"^[0-9]{{16}}\.{ID[1:]}"
"""Microseconds since 1970 and an id.

A forged cursor of this form is harmless, because it only begins elsewhere in the caller's own list.
"""


class Page(Document, Generic[T]):
    """One page of a list, newest first; `next_cursor` is null at the end."""

    items: tuple[T, ...]
    next_cursor: str | None = Field(description="Give it as `cursor` to get the next page.")


class Paging(Document):
    """The requested page of a list."""

    limit: int
    after: ListPosition | None

    def page(
        self, found: Sequence[T], place: Callable[[T], ListPosition], view: Callable[[T], V]
    ) -> Page[V]:
        """Return the page that starts with `found`, which holds up to `limit` + 1 items."""
        shown = found[: self.limit]
        more = len(found) > self.limit
        return Page[V](
            items=tuple(map(view, shown)),
            next_cursor=cursor_of(place(shown[-1])) if more else None,
        )


Cursor = Annotated[
    str | None, Query(pattern=_CURSOR, description="`nextCursor` of the page before.")
]


def place_of_cursor(cursor: str | None) -> ListPosition | None:
    """Return the position at which the previous page ended; None for the first page."""
    return _place(cursor) if cursor else None


def _paging(cursor: Cursor = None, limit: Annotated[int, Query(ge=1, le=100)] = 20) -> Paging:
    return Paging(limit=limit, after=place_of_cursor(cursor))


Paged = Annotated[Paging, Depends(_paging)]


def cursor_of(place: ListPosition) -> str:
    """Return the cursor of the items after that position."""
    microseconds = (place.created_at - _EPOCH) // timedelta(microseconds=1)
    return f"{microseconds:016d}.{place.id}"


def _place(cursor: str) -> ListPosition:
    microseconds, _, id_ = cursor.partition(".")
    return ListPosition(_EPOCH + timedelta(microseconds=int(microseconds)), id_)
