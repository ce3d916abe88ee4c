"""The port to small documents that all instances share, saved by compare-and-set."""

from collections.abc import Mapping
from typing import Protocol, TypeVar

from lumimd.domain.document import Document

D = TypeVar("D", bound=Document)


class SharedDocuments(Protocol[D]):
    """Documents of one kind by key. Every save is a compare-and-set on the version that was read.

    Only the store interprets a version; None is the version of a missing document. A save that
    changes nothing may keep the version, so that it does not stop another writer. Every method may
    raise `Transient`.
    """

    async def get(self, key: str) -> tuple[D, object] | None:
        """Return the document and its version, or None if it is missing."""
        ...

    async def save(self, key: str, read_version: object | None, document: D) -> object:
        """Write a document by compare-and-set, and return the new version.

        Raises:
            Conflict: the document has changed since the read, already exists, or is gone.
        """
        ...

    async def delete(self, key: str) -> None:
        """Remove the document, if it exists, without a precondition."""
        ...

    async def all(self) -> Mapping[str, D]:
        """Return every readable document of this kind, in the order of the keys."""
        ...
