"""Small documents that all instances share, saved by compare-and-set."""

from collections.abc import Mapping
from typing import Protocol, TypeVar

from lumimd.domain.document import Document

D = TypeVar("D", bound=Document)


class SharedDocuments(Protocol[D]):
    """Documents of one kind by key. Every save is conditional on the version that was read.

    A version means something to the store alone; None is the version of what does not exist. A save
    that changes nothing may leave the version as it was, so it fences nobody off. Every method may
    raise `Transient`.
    """

    async def get(self, key: str) -> tuple[D, object] | None:
        """The document and its version; None when there is none."""
        ...

    async def save(self, key: str, read_version: object | None, document: D) -> object:
        """Write a document that is still as it was read; the new version.

        Raises:
            Conflict: it is not, it exists where it did not, or it is gone.
        """
        ...

    async def delete(self, key: str) -> None:
        """Remove the document, whatever it holds; nothing happens when there is none."""
        ...

    async def all(self) -> Mapping[str, D]:
        """Every document of this kind that can be read, in order of the keys."""
        ...
