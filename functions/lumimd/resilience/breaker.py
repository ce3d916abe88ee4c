"""A dependency that is down is left alone: calls are refused until elected probes are answered.

Failures are counted in each instance (`breaker_window.py`); what follows from them
(`breaker_state.py`) is shared through a store (`breaker_shared.py`).
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import TypeVar

from lumimd.errors import Held, Permanent, Transient
from lumimd.ports import Clock, JobGone
from lumimd.resilience.breaker_shared import SharedBreaker
from lumimd.resilience.breaker_state import (
    Breaker,
    BreakerPolicy,
    Reason,
    ask_again_in,
    opened,
    probe_answered,
    probe_failed,
    probe_given_up,
    probing,
)
from lumimd.resilience.breaker_store import BreakerStore
from lumimd.resilience.breaker_window import Call, Window
from lumimd.resilience.retry import TimedOut, Unanswered

T = TypeVar("T")


class BreakerOpen(Held):
    """The dependency is down. `retry_after_s` is when the next probe may be elected.

    It was not called, or that it did not answer is what the breaker opened at, or stays open for.
    """


class CircuitBreaker:
    """The breaker of one dependency in one instance.

    A call that ends with `Transient` has failed; one that ends with `Permanent` or `JobGone` was
    answered; one that is cancelled, or ends with a bug of ours, says nothing of the dependency.
    """

    def __init__(
        self, policy: BreakerPolicy, store: BreakerStore, clock: Clock, new_id: Callable[[], str]
    ) -> None:
        self._policy = policy
        self._shared = SharedBreaker(policy.name, store, clock)
        self._clock = clock
        self._new_id = new_id
        self._last_window = Window(policy, since=None)

    async def call(self, make: Callable[[], Awaitable[T]]) -> T:
        """The result of `make()`, if calls are let through.

        Raises:
            BreakerOpen: they are not, or `make` failed and they are not any more.
        """
        async with self.admitted():
            return await make()

    @asynccontextmanager
    async def admitted(self) -> AsyncIterator[None]:
        """Make one call inside.

        Raises:
            BreakerOpen: calls are not let through, or this one failed and they are not any more.
        """
        holder = await self._admission()
        window, started_at = self._window(), self._clock.now()

        async def ended(*, failed: bool) -> None:
            now = self._clock.now()
            call = Call(now, now - started_at, failed)
            await (self._count(window, call) if holder is None else self._conclude(holder, call))

        limit = asyncio.timeout(None if holder is None else self._policy.probe_for.total_seconds())
        try:
            try:
                async with limit:
                    yield
            except TimeoutError as error:
                if not limit.expired():
                    raise
                raise TimedOut(self._policy.code) from error
        except Transient as error:
            await ended(failed=True)
            known = self._shared.known
            if known is None or known.is_closed:
                raise
            # What was not answered may have been charged: that is for the stage to count. There is
            # one probe a minute in all, and whoever made it did so for everybody.
            if isinstance(error, Unanswered) and holder is None:
                raise
            # Whoever opened the breaker, or probed in vain, waits like everybody else: it is the
            # dependency that is down, and no fault of this visit.
            asked = error.retry_after_s or 0.0
            wait = max(self._wait(known).total_seconds(), asked)
            raise BreakerOpen(error.code, retry_after_s=wait) from error
        except (Permanent, JobGone):
            await ended(failed=False)
            raise
        except (Exception, asyncio.CancelledError):
            if holder is not None:
                await self._shared.become(lambda breaker: probe_given_up(breaker, holder))
            raise
        else:
            await ended(failed=False)

    async def _admission(self) -> str | None:
        """Let the caller through: None, or the id of its probe if it was elected."""
        if self._shared.lets_all_pass:
            return None
        holder = self._new_id()
        may_be_elected = False

        def elect(breaker: Breaker) -> Breaker:
            nonlocal may_be_elected
            elected = probing(breaker, holder, self._clock.now(), self._policy)
            may_be_elected = elected is not breaker
            return elected

        breaker = await self._shared.become(elect)
        if breaker is None:
            # The store may have elected us although its answer is missing; then we shall say how
            # the probe went, so that nobody waits for the end of its claim.
            return holder if may_be_elected else None
        if breaker.is_closed:
            return None
        if breaker.is_probed_by(holder):
            return holder
        raise self._refused(breaker)

    async def refusal(self, unanswered_since: datetime | None = None) -> BreakerOpen | None:
        """What a call would be refused with right now; nobody is elected by asking.

        Where few call, no instance sees five failures in a row. So the breaker also opens for a
        visit whose tries all failed, `unanswered_since` then, if nobody was answered meanwhile.
        """
        window, now = self._window(), self._clock.now()
        since = unanswered_since
        if since is not None and window.answered_after(since):
            since = None
        if self._shared.lets_all_pass and since is None:
            return None

        def suspect(known: Breaker) -> Breaker:
            if since is None or (known.changed_at is not None and known.changed_at > since):
                return known
            return opened(known, window.since, Reason.UNANSWERED, now)

        breaker = await self._shared.become(suspect)
        if breaker is None or breaker.is_closed or not self._wait(breaker):
            return None
        return self._refused(breaker)

    def _refused(self, breaker: Breaker) -> BreakerOpen:
        return BreakerOpen(self._policy.code, retry_after_s=self._wait(breaker).total_seconds())

    def _wait(self, breaker: Breaker) -> timedelta:
        return ask_again_in(breaker, self._clock.now(), self._policy)

    async def _count(self, window: Window, call: Call) -> None:
        reason = window.add(call)
        if reason is not None:
            now = self._clock.now()
            await self._shared.become(lambda breaker: opened(breaker, window.since, reason, now))
        elif call.failed and self._shared.known is not None:
            # Somebody else may have opened it: look before the next call, not in five seconds.
            self._shared.look_again()

    async def _conclude(self, holder: str, call: Call) -> None:
        now = self._clock.now()
        self._shared.look_again()  # worth a try even if the store was down a moment ago
        if call.failed or call.took > self._policy.slow:
            reason = Reason.PROBE_FAILED if call.failed else Reason.PROBE_SLOW
            await self._shared.become(lambda breaker: probe_failed(breaker, holder, reason, now))
        else:
            await self._shared.become(
                lambda breaker: probe_answered(breaker, holder, now, self._policy)
            )

    def _window(self) -> Window:
        """The calls since the breaker last changed; those before it do not count any more."""
        known = self._shared.known
        if known is not None and known.changed_at != self._last_window.since:
            self._last_window = Window(self._policy, since=known.changed_at)
        return self._last_window
