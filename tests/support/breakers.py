"""Make instances that share circuit breakers, and call through the breakers in virtual time."""

import asyncio
import io
import json
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from lumimd.adapters.memory import ManualClock
from lumimd.coordination.breaker.breaker import BreakerOpen, CircuitBreaker
from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import Transient
from lumimd.policies.breaker import MODEL, Breaker, BreakerPolicy, State
from lumimd.ports.clock import Clock
from lumimd.telemetry import logs
from tests.support.services import START
from tests.support.shared_documents import in_memory
from tests.unit.policies.test_retry import jumping_loop

SECOND = timedelta(seconds=1)
CODE = ErrorCode.SUMMARY_UNAVAILABLE
DEAD = Transient(CODE)


class Instances:
    """Makes breakers of many instances over one store, which records every written state.

    The store raises `trouble` instead of an answer, raises the `lost_answers` after successful
    saves, and delays its answers by `delay_s`.
    """

    def __init__(self, clock: Clock | None = None, delay_s: float = 0) -> None:
        self.clock = clock or ManualClock(START)
        self.delay_s = delay_s
        self.written: list[Breaker] = []
        self.reads = 0
        self.trouble: Exception | None = None
        self.lost_answers: list[Exception] = []
        self._kept = in_memory(Breaker)
        self._ids = count(1)

    def instance(self, policy: BreakerPolicy = MODEL) -> CircuitBreaker:
        return CircuitBreaker(policy, self, self.clock, lambda: f"id-{next(self._ids)}")

    async def get(self, key: str) -> tuple[Breaker, object] | None:
        self.reads += 1
        await self._answer()
        return await self._kept.get(key)

    async def save(self, key: str, read_version: object | None, breaker: Breaker) -> object:
        await self._answer()
        version = await self._kept.save(key, read_version, breaker)
        self.written.append(breaker)
        if self.lost_answers:
            raise self.lost_answers.pop(0)
        return version

    async def _answer(self) -> None:
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        if self.trouble is not None:
            raise self.trouble

    @property
    def states(self) -> list[tuple[State, int]]:
        """Return the state and the number of successes in each write."""
        return [(each.state, each.successes) for each in self.written]

    def wait(self, by: timedelta) -> None:
        assert isinstance(self.clock, ManualClock)
        self.clock.advance(by)


async def ask(
    breaker: CircuitBreaker,
    outcome: BaseException | None = None,
    takes: Callable[[], object] = lambda: None,
) -> str:
    """Make a call through the breaker; returns `answered`, `refused`, or the error's class."""

    async def made() -> None:
        takes()
        if outcome is not None:
            raise outcome

    try:
        await breaker.call(made)
    except BreakerOpen:
        return "refused"
    except Exception as error:
        return type(error).__name__
    return "answered"


async def open_(shared: Instances, breaker: CircuitBreaker) -> None:
    for _ in range(5):
        await ask(breaker, DEAD)
    assert shared.written[-1].state is State.OPEN


class LoopClock:
    """A clock that converts the virtual time of the event loop into a time of day."""

    def now(self) -> datetime:
        return START + timedelta(seconds=asyncio.get_running_loop().time())


def played(scene: Callable[[Instances], Coroutine[Any, Any, None]], delay_s: float = 0) -> None:
    loop = jumping_loop()
    try:
        loop.run_until_complete(scene(Instances(LoopClock(), delay_s)))
    finally:
        loop.close()


@contextmanager
def logged() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Yields a function that returns the lines logged so far inside the context."""
    to = io.StringIO()
    logs.configure(to)
    try:
        yield lambda: [json.loads(line) for line in to.getvalue().splitlines()]
    finally:
        logs.configure()
