"""A breaker as one instance knows it: read every few seconds, and changed by compare-and-set."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from lumimd.domain.commit import Conflict
from lumimd.policies.breaker import Breaker, State, key_of
from lumimd.policies.keeping import BREAKER_KEPT_FOR, COMPLAIN_EVERY
from lumimd.policies.time_budgets import BREAKER_STORE_S
from lumimd.ports.clock import Clock
from lumimd.stores.shared_documents import SharedDocuments
from lumimd.telemetry import logs

CONFLICTS: Final = 3
"""The most lost races per change; a caller that loses a race reads again and usually has to change
nothing."""

_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)

_CHANGED: Final = {
    State.OPEN: ("breaker_opened", "error"),
    State.HALF_OPEN: ("breaker_half_opened", "info"),
    State.CLOSED: ("breaker_closed", "info"),
}


class SharedBreaker:
    """The shared state of a breaker. `known` is its last known state; None if its store is down."""

    def __init__(self, name: str, store: SharedDocuments[Breaker], clock: Clock) -> None:
        self._name = name
        self._key = key_of(name)
        self._store = store
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()
        self.known: Breaker | None = None
        self._version: object | None = None
        self._look_at = _LONG_AGO
        self._complain_at = _LONG_AGO

    @property
    def lets_all_pass(self) -> bool:
        """Whether, as known a moment ago, the breaker is closed or its store is down."""
        is_fresh = self._clock.now() < self._look_at
        return is_fresh and (self.known is None or self.known.is_closed)

    def look_again(self) -> None:
        """Make the next call read the store again."""
        self._look_at = _LONG_AGO

    async def become(self, change: Callable[[Breaker], Breaker]) -> Breaker | None:
        """Store and return the breaker after `change`; None if its store is down or slow."""
        try:
            async with asyncio.timeout(BREAKER_STORE_S), self._one_at_a_time:
                return await self._changed(change)
        except Exception as error:  # a failure of the breaker's store must not stop a call
            now = self._clock.now()
            self.known, self._look_at = None, now + BREAKER_KEPT_FOR
            if now >= self._complain_at:
                self._complain_at = now + COMPLAIN_EVERY
                logs.failure("breaker_store_failed", error, dependency=self._name)
            return None

    async def _changed(self, change: Callable[[Breaker], Breaker]) -> Breaker | None:
        before: Breaker | None = None
        wanted: Breaker | None = None
        for _ in range(CONFLICTS):
            breaker = await self._look()
            if breaker is None:
                return None
            if before is not None and breaker == wanted:
                _announce(before, breaker)  # an earlier save succeeded, but its answer was lost
                return breaker
            before, wanted = breaker, change(breaker)
            if wanted == breaker:
                return breaker
            try:
                version = await self._store.save(self._key, self._version, wanted)
            except Conflict:
                self.look_again()
                continue
            self._keep(wanted, version)
            _announce(before, wanted)
            return wanted
        return await self._look()

    async def _look(self) -> Breaker | None:
        if self._clock.now() >= self._look_at:
            found = await self._store.get(self._key)
            self._keep(*(found or (Breaker(name=self._name), None)))
        return self.known

    def _keep(self, breaker: Breaker, version: object | None) -> None:
        self.known, self._version = breaker, version
        self._look_at = self._clock.now() + BREAKER_KEPT_FOR


def _announce(before: Breaker, after: Breaker) -> None:
    if after.state is not before.state or after.fault is not before.fault:
        event, severity = _CHANGED[after.state]
        is_refused = after.state is State.OPEN and after.fault is not None
        reason = after.fault if is_refused else after.reason
        logs.event(event, severity, dependency=after.name, reason=reason)
