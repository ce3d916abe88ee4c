"""The documents of the memory adapters: by path, in collections, with versions."""

from collections.abc import Iterator, MutableMapping
from itertools import count
from typing import Any

from lumimd.adapters.memory.index import Index
from lumimd.ports.paging import Cursor

Document = dict[str, Any]


class MemoryDocuments(MutableMapping[str, Document]):
    """Documents by path; every write changes a document's version, like Firestore's update time.

    Stored values may have any shape, as in a database that other releases also write.
    """

    def __init__(self) -> None:
        self._collections: dict[str, dict[str, Document]] = {}
        self._versions: dict[str, int] = {}
        self._next_version = count(1)
        self._indexes: dict[str, dict[str, Index]] = {}

    def version(self, path: str) -> int | None:
        """Return the version of a document; None if it does not exist."""
        return self._versions.get(path)

    def under(self, collection: str) -> list[tuple[str, Document]]:
        """Return the paths and the documents of a collection, in order of their ids."""
        return [
            (f"{collection}/{each}", document)
            for each, document in sorted(self._collections.get(collection, {}).items())
        ]

    def by_id(
        self, collection: str, after: Cursor | None = None
    ) -> Iterator[tuple[Cursor, Document]]:
        """Yield the documents of a collection in order of their ids."""
        for name, document in sorted(self._collections.get(collection, {}).items()):
            if after is None or name > after.id:
                yield Cursor(None, name), document

    def ordered(
        self,
        collection: str,
        field: str,
        after: Cursor | None = None,
        *,
        newest_first: bool = False,
    ) -> Iterator[tuple[Cursor, Document]]:
        """Yield the documents that have the field, ordered by the field and then by id.

        The first call builds the index, and later calls reuse it, so that a page costs only its
        documents.
        """
        documents = self._collections.setdefault(collection, {})
        indexes = self._indexes.setdefault(collection, {})
        if field not in indexes:
            indexes[field] = Index(field, documents)
        for cursor in indexes[field].after(after, newest_first=newest_first):
            yield cursor, documents[cursor.id]

    def __getitem__(self, path: str) -> Document:
        collection, _, name = path.rpartition("/")
        try:
            return self._collections[collection][name]
        except KeyError:
            raise KeyError(path) from None

    def __setitem__(self, path: str, document: Document) -> None:
        collection, _, name = path.rpartition("/")
        self._collections.setdefault(collection, {})[name] = document
        self._versions[path] = next(self._next_version)
        for index in self._indexes.get(collection, {}).values():
            index.put(name, document)

    def __delitem__(self, path: str) -> None:
        del self._versions[path]
        collection, _, name = path.rpartition("/")
        del self._collections[collection][name]
        for index in self._indexes.get(collection, {}).values():
            index.forget(name)

    def __contains__(self, path: object) -> bool:
        return path in self._versions

    def __iter__(self) -> Iterator[str]:
        return iter(self._versions)

    def __len__(self) -> int:
        return len(self._versions)
