"""Small documents that all instances share, saved by compare-and-set."""

from collections.abc import Mapping
from typing import Protocol, TypeVar

from lumimd.domain.document import Document

D = TypeVar("D", bound=Document)


class SharedDocuments(Protocol[D]):
    """Documents of one kind by key. Every save is a compare-and-set on the version that was read.

    Only the store interprets a version; None is the version of a missing document. A save that
    changes nothing may keep the version, so it fences off no other writer. Every method may raise
    `Transient`.
    """

    async def get(self, key: str) -> tuple[D, object] | None:
        """The document and its version; None if there is none."""
        ...

    async def save(self, key: str, read_version: object | None, document: D) -> object:
        """Write a document by compare-and-set; the new version.

        Raises:
            Conflict: it has changed since the read, already exists, or is gone.
        """
        ...

    async def delete(self, key: str) -> None:
        """Remove the document without a precondition; a missing document is no error."""
        ...

    async def all(self) -> Mapping[str, D]:
        """Every readable document of this kind, in order of the keys."""
        ...
