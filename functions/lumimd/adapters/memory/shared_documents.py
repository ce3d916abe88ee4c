"""Shared documents in memory: compare-and-set, and no caller shares a value."""

import asyncio
from collections.abc import Mapping
from itertools import count
from typing import Any, Generic, TypeVar

from lumimd.adapters.reading import read, readable
from lumimd.domain.commit import Conflict
from lumimd.domain.document import Document

D = TypeVar("D", bound=Document)


class MemorySharedDocuments(Generic[D]):
    """Documents of one kind by key."""

    def __init__(self, kind: type[D]) -> None:
        self._kind = kind
        self._documents: dict[str, tuple[dict[str, Any], int]] = {}
        self._next_version = count(1)

    async def get(self, key: str) -> tuple[D, object] | None:
        """The document and its version, or None."""
        await asyncio.sleep(0)  # like a real read, yields to other tasks
        if key not in self._documents:
            return None
        document, version = self._documents[key]
        return read(self._kind, self._kind.__name__, key, document), version

    async def save(self, key: str, read_version: object | None, document: D) -> object:
        """Write a document by compare-and-set; raises Conflict if it has changed."""
        await asyncio.sleep(0)
        _, version = self._documents.get(key, ({}, None))
        if version != read_version:
            raise Conflict
        self._documents[key] = document.to_stored(), next(self._next_version)
        return self._documents[key][1]

    async def delete(self, key: str) -> None:
        """Remove the document."""
        await asyncio.sleep(0)
        self._documents.pop(key, None)

    async def all(self) -> Mapping[str, D]:
        """Every document, in order of the keys."""
        await asyncio.sleep(0)
        kept = sorted(self._documents.items())
        named = ((key, document, key) for key, (document, _) in kept)
        documents, _ = readable(self._kind, self._kind.__name__, named)
        return {key: document for document, key in documents}
