"""An index of one field of a collection in Firestore's order: by type, then value, then id."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from lumimd.ports.paging import Cursor

Key = tuple[int, Any, str]


class Index:
    """An index of the documents that have `field`, by their ids."""

    def __init__(self, field: str, documents: Mapping[str, Any]) -> None:
        self._field = field
        self._values: dict[str, Any] = {}
        for name, document in documents.items():
            if has(document, field):
                self._values[name] = document[field]
        self._keys = sorted(place_of(value, name) for name, value in self._values.items())

    def put(self, name: str, document: Any) -> None:
        """Add the document to the index, or replace its earlier value."""
        self.forget(name)
        if has(document, self._field):
            self._values[name] = document[self._field]
            insort(self._keys, place_of(document[self._field], name))

    def forget(self, name: str) -> None:
        """Remove the document from the index."""
        if name in self._values:
            del self._keys[bisect_left(self._keys, place_of(self._values.pop(name), name))]

    def after(self, cursor: Cursor | None, *, newest_first: bool = False) -> Iterator[Cursor]:
        """Yield the positions after `cursor`, or all positions."""
        keys = self._keys
        if newest_first:
            last = bisect_left(keys, place_of(*cursor)) if cursor else len(keys)
            numbers = range(last - 1, -1, -1)
        else:
            numbers = range(bisect_right(keys, place_of(*cursor)) if cursor else 0, len(keys))
        for number in numbers:
            _, _, name = keys[number]
            yield Cursor(self._values[name], name)


def has(document: Any, field: str) -> bool:
    """Return whether the document is a mapping with the field."""
    return isinstance(document, dict) and field in document


def place_of(value: Any, name: str = "") -> Key:
    """Return the place of a value in the index; values of different types differ in [0]."""
    match value:
        case None:
            return 0, 0, name
        case bool():
            return 1, value, name
        case int() | float():
            return 2, value, name
        case datetime():
            return 3, value if value.tzinfo else value.replace(tzinfo=UTC), name
        case str():
            return 4, value, name
        case _:
            return 5, 0, name
