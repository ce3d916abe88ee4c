"""The document database below the stores: documents by path, in collections, with versions."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol, Self

from lumimd.ports.paging import Cursor

ID: Final = "__name__"
"""The name of a document's id in the condition of a query."""

ANY_VERSION: Final = object()
"""The write has no precondition."""


@dataclass(frozen=True)
class Snapshot:
    """A document as it was read. Only the database interprets `version`."""

    id: str
    fields: dict[str, Any]
    version: object


@dataclass(frozen=True)
class Write:
    """One document to write, or to delete if `fields` is None.

    `if_version` is the version that it must still have; None: it must not exist. A write with a
    version replaces the fields that it names; the others stay.
    """

    path: str
    fields: dict[str, Any] | None
    if_version: object = ANY_VERSION


@dataclass(frozen=True)
class Query:
    """Documents of a collection that meet all conditions, ordered by a field and then by id.

    A condition is a field, an operator (`==`, `in`, `array_contains`, `<`, `<=`, `>`, `>=`) and a
    value. A document without the field, or with a value of another type, does not meet it. Only
    `fields` are read, or all if it is empty.
    """

    collection: str
    order: str | None = None
    newest_first: bool = False
    fields: tuple[str, ...] = ()
    conditions: tuple[tuple[str, str, Any], ...] = ()

    def where(self, field: str, operator: str, value: Any) -> Self:
        """The query with one more condition."""
        return replace(self, conditions=(*self.conditions, (field, operator, value)))


class Database(Protocol):
    """Documents by path. A write that changes nothing may keep the version.

    Every method may raise `Transient`.
    """

    async def get(self, path: str, *fields: str) -> Snapshot | None:
        """The document, or only these fields of it; None if there is none. One read."""
        ...

    async def commit(self, *writes: Write) -> object:
        """All writes or none; the new version of the first document. One write per document.

        Raises:
            Conflict: a document does not have the version that its write requires.
        """
        ...

    async def find(
        self, query: Query, limit: int | None = None, after: Cursor | None = None
    ) -> Sequence[Snapshot]:
        """The next `limit` documents, or all. One read per document, and at least one."""
        ...

    async def count(self, query: Query, before: Cursor | None = None) -> int:
        """The number of documents, or of those before a position. One read per thousand."""
        ...

    async def total(self, query: Query, field: str) -> float:
        """The sum of the numbers in a field, which may be a path like `ledger.audioSeconds`."""
        ...

    async def next_number(self, path: str, field: str, after: int, others: dict[str, Any]) -> int:
        """One more than the field's number and than `after`, stored with `others`. Two writes.

        Atomic without a read: no caller can lose a race.
        """
        ...
