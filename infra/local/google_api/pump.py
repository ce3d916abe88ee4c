"""A loop that asks queues or scheduler jobs for due attempts, and dispatches the attempts.

Then the loop sleeps until a source's next wake time, or until `wake` reports a change.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Generic, Protocol, TypeVar

Clock = Callable[[], datetime]
AttemptT = TypeVar("AttemptT")


def utc_now() -> datetime:
    return datetime.now(UTC)


class Source(Protocol[AttemptT]):
    """A queue or a job: has due attempts, and a next wake time (None: only after a change)."""

    def take_due(self, now: datetime) -> list[AttemptT]: ...

    def next_wake(self) -> datetime | None: ...


SourceT = TypeVar("SourceT", bound=Source)  # type: ignore[type-arg]  # of the pump's AttemptT


class Pump(Generic[SourceT, AttemptT]):
    """Dispatches attempts from `sources`, a mapping that its owner may change at any time.

    `deliver` makes one attempt and records the response in the source. An exception in `deliver`
    is a bug, which ends `run` and therefore the server, so that a queue never stops silently.
    """

    def __init__(
        self,
        sources: Mapping[str, SourceT],
        deliver: Callable[[SourceT, AttemptT], Awaitable[None]],
        clock: Clock = utc_now,
    ) -> None:
        self._sources = sources
        self._deliver = deliver
        self._clock = clock
        self._changed = asyncio.Event()
        self._attempts = asyncio.TaskGroup()

    def wake(self) -> None:
        """Tell the loop that a source was created, resumed or changed, or that an attempt ended."""
        self._changed.set()

    def start(self, source: SourceT, attempt: AttemptT) -> None:
        """Start an attempt, for example one that RunTask or RunJob dispatched."""
        self._attempts.create_task(self._attempt(source, attempt))

    async def run(self) -> None:
        """Dispatch attempts until cancelled; a cancellation also cancels the attempts in flight."""
        async with self._attempts:
            while True:
                self._changed.clear()
                now = self._clock()
                for source in self._sources.values():
                    for attempt in source.take_due(now):
                        self.start(source, attempt)
                await self._wait()

    async def _attempt(self, source: SourceT, attempt: AttemptT) -> None:
        await self._deliver(source, attempt)
        self.wake()

    async def _wait(self) -> None:
        wakes = [at for source in self._sources.values() if (at := source.next_wake()) is not None]
        delay_s = (min(wakes) - self._clock()).total_seconds() if wakes else None
        try:
            async with asyncio.timeout(delay_s):
                await self._changed.wait()
        except TimeoutError:
            return
