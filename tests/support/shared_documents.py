"""Make shared documents in memory, in Firestore, and in memory with injected errors."""

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

import pytest

from lumimd.adapters.firestore.database import FirestoreDatabase
from lumimd.adapters.memory.database import MemoryDatabase
from lumimd.adapters.memory.documents import MemoryDocuments
from lumimd.domain.document import Document
from lumimd.stores.shared_documents import SharedDocuments

D = TypeVar("D", bound=Document)

COLLECTION = "shared"

MEMORY_AND_FIRESTORE = ["memory", pytest.param("firestore", marks=pytest.mark.emulator)]


def in_memory(kind: type[D]) -> SharedDocuments[D]:
    """Return an empty collection in memory."""
    return SharedDocuments(MemoryDatabase(), COLLECTION, kind)


def raw(documents: SharedDocuments[Any]) -> MemoryDocuments:
    """Return the documents in memory by path."""
    return documents._database.raw


@contextmanager
def documents_of(
    kind: type[D], collection: str, request: pytest.FixtureRequest
) -> Iterator[SharedDocuments[D]]:
    """Return an empty collection: in memory or in the emulator by the fixture's parameter."""
    if request.param == "memory":
        yield SharedDocuments(MemoryDatabase(), collection, kind)
        return
    from google.cloud import firestore

    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("FIRESTORE_EMULATOR_HOST", request.getfixturevalue("firestore_host"))
        # A new project is an empty database.
        client = firestore.AsyncClient(project=f"demo-{uuid.uuid4().hex[:12]}")
    yield SharedDocuments(FirestoreDatabase(lambda: client), collection, kind)
    client.close()


class Troubled(Generic[D]):
    """Shared documents in memory that raise `trouble` in place of an answer.

    They raise `lost_answers` after successful saves; `writes` counts the saves.
    """

    def __init__(self, kind: type[D]) -> None:
        self.kept = in_memory(kind)
        self.trouble: Exception | None = None
        self.lost_answers: list[Exception] = []
        self.reads = 0
        self.writes = 0

    async def get(self, key: str) -> tuple[D, object] | None:
        self.reads += 1
        self._answer()
        return await self.kept.get(key)

    async def save(self, key: str, read_version: object | None, document: D) -> object:
        self._answer()
        version = await self.kept.save(key, read_version, document)
        self.writes += 1
        if self.lost_answers:
            raise self.lost_answers.pop(0)
        return version

    async def delete(self, key: str) -> None:
        self._answer()
        await self.kept.delete(key)

    async def all(self) -> Mapping[str, D]:
        self._answer()
        found = await self.kept.all()
        self.reads += max(1, len(found))
        return found

    def _answer(self) -> None:
        if self.trouble is not None:
            raise self.trouble
