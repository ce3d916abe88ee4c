"""A document database in memory, as strict as Firestore: compare-and-set and its size limits."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from itertools import islice, takewhile
from operator import ge, gt, le, lt
from typing import Any, Final

from lumimd.adapters.memory.documents import MemoryDocuments
from lumimd.adapters.memory.index import has, place_of
from lumimd.domain.commit import Conflict
from lumimd.ports.database import ANY_VERSION, ID, Query, Snapshot, Write
from lumimd.ports.paging import Cursor

MAX_DOCUMENT_BYTES: Final = 1024**2
MAX_REQUEST_BYTES: Final = 10 * 1024**2
MAX_WRITES: Final = 500

_COMPARED: Final[Mapping[str, Callable[[Any, Any], bool]]] = {"<": lt, "<=": le, ">": gt, ">=": ge}


class DocumentTooLarge(Exception):
    """A document is over 1 MiB; Firestore and this database refuse it."""


class RequestTooLarge(Exception):
    """A commit is over 10 MiB, or over 500 writes; Firestore and this database refuse it."""


class MemoryDatabase:
    """A database in memory with its documents in `raw`; written values are never shared."""

    def __init__(self) -> None:
        self.raw: Final = MemoryDocuments()
        """The stored documents, for tests that damage or restore documents."""
        self._watchers: list[tuple[str, asyncio.Queue[dict[str, Any]]]] = []

    async def get(self, path: str, *fields: str) -> Snapshot | None:
        await asyncio.sleep(0)  # like a real read, yields to other tasks
        return self._snapshot(path, self.raw[path], fields) if path in self.raw else None

    async def commit(self, *writes: Write) -> object:
        await asyncio.sleep(0)
        _check_sizes(writes)
        for write in writes:
            if write.if_version not in (ANY_VERSION, self.raw.version(write.path)):
                raise Conflict
        for write in writes:
            self._write(write)
        return self.raw.version(writes[0].path)

    async def find(
        self, query: Query, limit: int | None = None, after: Cursor | None = None
    ) -> Sequence[Snapshot]:
        await asyncio.sleep(0)
        found = islice(self._matching(query, after), limit)
        path = f"{query.collection}/{{}}".format
        return [self._snapshot(path(at.id), each, query.fields) for at, each in found]

    async def count(self, query: Query, before: Cursor | None = None) -> int:
        await asyncio.sleep(0)
        found = (at for at, _ in self._matching(query))
        ahead = takewhile(lambda at: before is None or at < before, found)
        return sum(1 for _ in ahead)

    async def total(self, query: Query, field: str) -> float:
        """Return a sum like Firestore's: a value that is not a number counts as 0."""
        await asyncio.sleep(0)
        values = (_at_path(each, field) for _, each in self._matching(query))
        return sum(value for value in values if isinstance(value, int | float))

    async def next_number(self, path: str, field: str, after: int, others: dict[str, Any]) -> int:
        await asyncio.sleep(0)
        stored = self.raw.get(path, {})
        number: int = max(stored.get(field, 0), after) + 1
        self.raw[path] = {**stored, **others, field: number}
        return number

    async def watch(self, path: str) -> AsyncIterator[dict[str, Any]]:
        """Yield the document now and after every commit, like a Firestore listener."""
        updates: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        watcher = (path, updates)
        self._watchers.append(watcher)
        try:
            if path in self.raw:
                yield self.raw[path]
            while True:
                yield await updates.get()
        finally:
            self._watchers.remove(watcher)

    def _write(self, write: Write) -> None:
        if write.fields is None:
            self.raw.pop(write.path, None)
            return
        has_version = write.if_version not in (None, ANY_VERSION)
        kept = self.raw[write.path] if has_version else {}
        self.raw[write.path] = {**kept, **write.fields}
        for path, updates in self._watchers:
            if path == write.path:
                updates.put_nowait(self.raw[path])

    def _snapshot(self, path: str, stored: Any, fields: Sequence[str]) -> Snapshot:
        if fields:
            stored = {field: stored[field] for field in fields if has(stored, field)}
        return Snapshot(path.rpartition("/")[2], stored, self.raw.version(path))

    def _matching(
        self, query: Query, after: Cursor | None = None
    ) -> Iterator[tuple[Cursor, dict[str, Any]]]:
        if query.order is None:
            in_order = self.raw.by_id(query.collection, after)
        else:
            in_order = self.raw.ordered(
                query.collection, query.order, after, newest_first=query.newest_first
            )
        return ((at, each) for at, each in in_order if _meets(at.id, each, query))


def _check_sizes(writes: Sequence[Write]) -> None:
    request = 0
    for write in writes:
        size = len(json.dumps(write.fields, default=str, ensure_ascii=False).encode())
        if size > MAX_DOCUMENT_BYTES:
            raise DocumentTooLarge(write.path)
        request += size
    if request > MAX_REQUEST_BYTES or len(writes) > MAX_WRITES:
        raise RequestTooLarge(f"{len(writes)} writes, {request} bytes")


def _meets(document_id: str, stored: Any, query: Query) -> bool:
    return all(
        document_id == value
        if field == ID
        else has(stored, field) and _holds(stored[field], operator, value)
        for field, operator, value in query.conditions
    )


def _holds(stored: Any, operator: str, value: Any) -> bool:
    match operator:
        case "==":
            return bool(stored == value)
        case "in":
            return stored in value
        case "array_contains":
            return isinstance(stored, list | tuple) and value in stored
    kind, comparable, _ = place_of(stored)
    wanted_kind, wanted, _ = place_of(value)
    return kind == wanted_kind and _COMPARED[operator](comparable, wanted)


def _at_path(stored: Any, path: str) -> Any:
    for name in path.split("."):
        stored = stored.get(name) if isinstance(stored, dict) else None
    return stored
