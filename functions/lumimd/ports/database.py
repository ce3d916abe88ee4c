"""The port to the document database below the stores: versioned documents by path."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol, Self

from lumimd.ports.paging import Cursor

ID: Final = "__name__"
"""The field name of a document's id in a condition of a query."""

ANY_VERSION: Final = object()
"""The value of `Write.if_version` for a write without a precondition."""


@dataclass(frozen=True)
class Snapshot:
    """A document as it was read. Only the database adapter interprets `version`."""

    id: str
    fields: dict[str, Any]
    version: object


@dataclass(frozen=True)
class Write:
    """A write of one document, or its deletion if `fields` is None.

    `if_version` is the version that the document must still have; None means that the document must
    not exist. A write with a version replaces only the named fields; the other fields stay.
    """

    path: str
    fields: dict[str, Any] | None
    if_version: object = ANY_VERSION


@dataclass(frozen=True)
class Query:
    """The documents of a collection that meet all conditions, ordered by a field and then by id.

    A condition is a field, an operator (`==`, `in`, `array_contains`, `<`, `<=`, `>`, `>=`) and a
    value. A document without the field, or with a value of another type, does not meet the
    condition. Only `fields` are read, or all fields if `fields` is empty.
    """

    collection: str
    order: str | None = None
    newest_first: bool = False
    fields: tuple[str, ...] = ()
    conditions: tuple[tuple[str, str, Any], ...] = ()

    def where(self, field: str, operator: str, value: Any) -> Self:
        """Return the query with one more condition."""
        return replace(self, conditions=(*self.conditions, (field, operator, value)))


class Database(Protocol):
    """A database of documents by path. Every method may raise `Transient`.

    A write that changes nothing may keep the version of the document.
    """

    async def get(self, path: str, *fields: str) -> Snapshot | None:
        """Return the document, or only these of its fields; None if it is missing. One read."""
        ...

    async def commit(self, *writes: Write) -> object:
        """Execute all writes or none, and return the new version of the first document.

        Costs one write per document.

        Raises:
            Conflict: a document does not have the version that its write requires.
        """
        ...

    async def find(
        self, query: Query, limit: int | None = None, after: Cursor | None = None
    ) -> Sequence[Snapshot]:
        """Return the next `limit` documents, or all. One read per document, and at least one."""
        ...

    async def count(self, query: Query, before: Cursor | None = None) -> int:
        """Return the number of documents, or of those before a position. One read per thousand."""
        ...

    async def total(self, query: Query, field: str) -> float:
        """Return the sum of the numbers in a field, possibly a path like `ledger.audioSeconds`."""
        ...

    async def next_number(self, path: str, field: str, after: int, others: dict[str, Any]) -> int:
        """Store and return the next number: one more than the stored number and than `after`.

        The fields of `others` are stored with the number. The operation is atomic without a read,
        so that no caller can lose a race. Costs two writes.
        """
        ...
