"""The store of shared documents, with one collection for each kind of document.

Saves use compare-and-set instead of transactions, so that a losing writer fails immediately and no
writer holds a lock.
"""

from collections.abc import Mapping
from typing import Generic, TypeVar

from lumimd.domain.document import Document
from lumimd.ports.database import Database, Query, Write
from lumimd.stores.reading import read, readable

D = TypeVar("D", bound=Document)


class SharedDocuments(Generic[D]):
    """The documents of one kind that all instances share, with their keys as ids in one collection.

    Only the database interprets a version; None is the version of a missing document. A save that
    changes nothing may keep the version. Every method may raise `Transient`.
    """

    def __init__(self, database: Database, collection: str, kind: type[D]) -> None:
        self._database = database
        self._collection = collection
        self._kind = kind

    async def get(self, key: str) -> tuple[D, object] | None:
        """Return the document and its version, or None. One read."""
        found = await self._database.get(f"{self._collection}/{key}")
        if found is None or not found.fields:
            return None
        return read(self._kind, self._collection, key, found.fields), found.version

    async def save(self, key: str, read_version: object | None, document: D) -> object:
        """Write a document by compare-and-set, return its version; `Conflict` if it has changed."""
        return await self._database.commit(
            Write(f"{self._collection}/{key}", document.to_stored(), read_version)
        )

    async def delete(self, key: str) -> None:
        """Remove the document. One write."""
        await self._database.commit(Write(f"{self._collection}/{key}", None))

    async def all(self) -> Mapping[str, D]:
        """Return the readable documents in the order of the keys. One read each, at least one."""
        found = await self._database.find(Query(self._collection))
        named = ((each.id, each.fields, each.id) for each in found)
        documents, _ = readable(self._kind, self._collection, named)
        return {key: document for document, key in documents}
