"""Shared documents on Cloud Firestore: one collection per kind.

Compare-and-set instead of transactions: a losing writer fails at once, and no writer holds a lock.
"""

from collections.abc import Mapping
from typing import Generic, TypeVar

from google.cloud import firestore

from lumimd.adapters.firestore.calls import called
from lumimd.adapters.reading import read, readable
from lumimd.domain.document import Document

D = TypeVar("D", bound=Document)


class FirestoreSharedDocuments(Generic[D]):
    """A version is the instant of the last write; the next write has it as its precondition."""

    def __init__(self, client: firestore.AsyncClient, collection: str, kind: type[D]) -> None:
        self._client = client
        self._collection = collection
        self._kind = kind

    async def get(self, key: str) -> tuple[D, object] | None:
        """The document and its version, or None. One read."""
        snapshot = await called(lambda: self._reference(key).get(retry=None))
        stored = snapshot.to_dict()
        if not stored:
            return None
        return read(self._kind, self._collection, key, stored), snapshot.update_time

    async def save(self, key: str, read_version: object | None, document: D) -> object:
        """Write a document by compare-and-set; raises Conflict if it has changed."""
        batch = self._client.batch()
        if read_version is None:
            batch.create(self._reference(key), document.to_stored())
        else:
            unchanged = self._client.write_option(last_update_time=read_version)
            batch.update(self._reference(key), document.to_stored(), option=unchanged)
        results = await called(lambda: batch.commit(retry=None))
        return results[0].update_time

    async def delete(self, key: str) -> None:
        """Remove the document. One write."""
        await called(lambda: self._reference(key).delete(retry=None))

    async def all(self) -> Mapping[str, D]:
        """The readable documents, in order of the keys. One read per document, and at least one."""
        found = await called(lambda: self._client.collection(self._collection).get(retry=None))
        named = [(each.id, each.to_dict(), each.id) for each in found]
        documents, _ = readable(self._kind, self._collection, named)
        return {key: document for document, key in documents}

    def _reference(self, key: str) -> firestore.AsyncDocumentReference:
        return self._client.document(f"{self._collection}/{key}")
