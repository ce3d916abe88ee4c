"""The stored answers in memory: compare-and-set, and no caller shares a value."""

import asyncio
from itertools import count
from typing import Any

from lumimd.adapters.reading import read
from lumimd.domain.commit import Conflict
from lumimd.ports.idempotency_store import Answer


class MemoryIdempotencyStore:
    """Answers by key."""

    def __init__(self) -> None:
        self._documents: dict[str, tuple[dict[str, Any], int]] = {}
        self._next_version = count(1)

    async def get(self, key: str) -> tuple[Answer, object] | None:
        """The answer under a key, and its version."""
        await asyncio.sleep(0)  # like a real read, yields to other tasks
        if key not in self._documents:
            return None
        document, version = self._documents[key]
        return read(Answer, "idempotencyKeys", key, document), version

    async def save(self, read_version: object | None, answer: Answer) -> object:
        """Write an answer by compare-and-set; raises Conflict if it has changed."""
        await asyncio.sleep(0)
        self._check(read_version, answer)
        self._documents[answer.key] = answer.to_stored(), next(self._next_version)
        return self._documents[answer.key][1]

    async def remove(self, read_version: object, answer: Answer) -> None:
        """Remove an answer by compare-and-set; raises Conflict if it has changed."""
        await asyncio.sleep(0)
        self._check(read_version, answer)
        del self._documents[answer.key]

    async def forget(self, user_id: str, naming: str | None = None) -> int:
        """Remove all answers to a user, or those that contain an id."""
        await asyncio.sleep(0)
        theirs = [
            key
            for key, (kept, _) in self._documents.items()
            if kept["userId"] == user_id and (naming is None or naming in kept["body"])
        ]
        for key in theirs:
            del self._documents[key]
        return len(theirs)

    def _check(self, read_version: object | None, answer: Answer) -> None:
        _, version = self._documents.get(answer.key, ({}, None))
        if version != read_version:
            raise Conflict
