"""Small documents that all instances share, changed by compare-and-set.

Rate limits, permits and the order of the fair queue change in this way: read, compute, save if the
version is unchanged, else read again. No transaction stays open, so no instance waits for the lock
of a crashed instance.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final, Generic, TypeVar
from weakref import WeakValueDictionary

from tenacity import (
    AsyncRetrying,
    RetryError,
    retry_if_exception_type,
    stop_after_attempt,
    wait_random_exponential,
)

from lumimd.domain.codes import ErrorCode
from lumimd.domain.commit import Conflict
from lumimd.domain.errors import Transient, UnreadableDocument
from lumimd.stores.shared_documents import D, SharedDocuments

T = TypeVar("T")

LOST_RACES: Final = 12
"""The most races that one change loses. Each lost race means that another instance has written.
Twelve lost races in a row, with pauses of some hundred milliseconds, mean that the document is
written as fast as possible."""

SPARE: Final = "~"
"""The suffix of a spare document's key; no user id, priority or shard ends with this suffix."""


class Spared(Generic[D]):
    """Shared documents, with a spare document in place of each unreadable document.

    A shared document of a newer release must neither stop its readers nor be overwritten. Its spare
    begins empty: a limit counts from zero, and permits in the unreadable document are not counted.
    The spare is used until the document is readable again.
    """

    def __init__(self, documents: SharedDocuments[D]) -> None:
        self._documents = documents
        self._set_aside: set[str] = set()

    async def get(self, key: str) -> tuple[D, object] | None:
        """Return the document and its version, or the spare and its version, or None."""
        try:
            found = await self._documents.get(key)
        except UnreadableDocument:
            self._set_aside.add(key)
            return await self._documents.get(_spare(key))
        self._set_aside.discard(key)
        return found

    async def save(self, key: str, read_version: object | None, document: D) -> object:
        """Write the document that was read, or its spare; raises `Conflict` if it has changed."""
        key = _spare(key) if key in self._set_aside else key
        return await self._documents.save(key, read_version, document)

    async def delete(self, key: str) -> None:
        """Remove the document and its spare."""
        await self._documents.delete(key)
        await self._documents.delete(_spare(key))

    async def all(self) -> Mapping[str, D]:
        """Return every readable document, and the spares of the unreadable documents."""
        found = await self._documents.all()
        spares = {key.removesuffix(SPARE): each for key, each in found.items() if _is_spare(key)}
        return spares | {key: each for key, each in found.items() if not _is_spare(key)}


def _spare(key: str) -> str:
    return f"{key}{SPARE}"


def _is_spare(key: str) -> bool:
    return key.endswith(SPARE)


class Contended(Transient):
    """Too many instances changed the document at once; this change was not written."""


class Shared(Generic[D]):
    """Changes shared documents on behalf of one instance.

    Callers of one instance take turns for a document, so that only instances compete for the
    document: a hundred requests to four instances are four writers, not a hundred.
    """

    def __init__(self, documents: SharedDocuments[D]) -> None:
        self.documents: Final = Spared(documents)
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def change(self, key: str, change: Callable[[D | None], tuple[D | None, T]]) -> T:
        """Store the document that `change` returns, and return its second value.

        `change` runs again after each lost race. Its argument is None for a document that does not
        exist. To write nothing, `change` returns None or its argument.

        Raises:
            Contended: the change lost `LOST_RACES` races in a row.
            Transient: the store is not available.
        """

        async def once() -> T:
            found = await self.documents.get(key)
            before, version = found or (None, None)
            after, outcome = change(before)
            if after is not None and after != before:
                await self.documents.save(key, version, after)
            return outcome

        turn = self._turns.setdefault(key, asyncio.Lock())
        async with turn:
            try:
                return await AsyncRetrying(
                    retry=retry_if_exception_type(Conflict),
                    stop=stop_after_attempt(LOST_RACES),
                    wait=wait_random_exponential(multiplier=0.02, max=0.4),
                )(once)
            except RetryError as error:
                raise Contended(ErrorCode.INTERNAL_ERROR, retry_after_s=1.0) from error
