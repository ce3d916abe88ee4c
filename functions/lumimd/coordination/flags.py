"""Feature flags as one instance knows them: read from the store and cached for some seconds."""

import asyncio
from datetime import datetime

from lumimd.domain.errors import Transient
from lumimd.policies.flags import KEY, Flags
from lumimd.policies.keeping import FLAGS_KEPT_FOR
from lumimd.ports.clock import Clock
from lumimd.stores.shared_documents import SharedDocuments
from lumimd.telemetry import logs


class SharedFlags:
    """The cached flags. If the store or its document cannot be read, the last flags stay valid.

    All flags are on in an instance that could not read any flags yet.
    """

    def __init__(self, documents: SharedDocuments[Flags], clock: Clock) -> None:
        self._documents = documents
        self._clock = clock
        self._known: Flags | None = None
        self._asked_at: datetime | None = None
        self._first = asyncio.Lock()

    async def now(self) -> Flags:
        """Return the flags, at most some seconds old."""
        if self._known is None:
            async with self._first:  # callers during the first read wait for the flags
                return await self._fresh()
        return await self._fresh()

    async def _fresh(self) -> Flags:
        now = self._clock.now()
        if self._asked_at is None or now - self._asked_at >= FLAGS_KEPT_FOR:
            self._asked_at = now  # before the read, so that callers meanwhile use the known flags
            await self._ask()
        return self._known or Flags()

    async def _ask(self) -> None:
        try:
            found = await self._documents.get(KEY)
        except Transient as error:
            logs.failure("flags_unreadable", error)
        else:
            self._known = found[0] if found else Flags()
