"""Circuit breaker of a dependency: open, calls fail fast; half-open, one probe runs at a time.

Each instance counts only its own failures (`policies/breaker_window.py`). The resulting state
(`policies/breaker.py`) is shared by all instances through a store (`shared.py`).
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import TypeVar

from lumimd.coordination.breaker.shared import SharedBreaker
from lumimd.domain.errors import (
    DeploymentFault,
    Held,
    Permanent,
    ProviderRefuses,
    RefusedAlone,
    TimedOut,
    Transient,
    Unanswered,
    Unreadable,
)
from lumimd.policies import breaker_suspects
from lumimd.policies.breaker import (
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
from lumimd.policies.breaker_window import Call, Window
from lumimd.ports.clock import Clock
from lumimd.ports.transcriber import JobGone
from lumimd.stores.shared_documents import SharedDocuments
from lumimd.telemetry import logs

T = TypeVar("T")


class BreakerOpen(Held):
    """The dependency is down. A new probe may begin after `retry_after_s`.

    Either no call was made, or the failure of the call opened the breaker or kept it open.
    """


class CircuitBreaker:
    """The breaker of one dependency in one instance.

    `Transient` counts as a failure, `Permanent` and `JobGone` as a response. A call does not count
    if it is cancelled, has an unreadable response, or raises an unknown exception (a bug).
    `ProviderRefuses` opens the breaker immediately, with its reason.
    """

    def __init__(
        self,
        policy: BreakerPolicy,
        store: SharedDocuments[Breaker],
        clock: Clock,
        new_id: Callable[[], str],
    ) -> None:
        self._policy = policy
        self._shared = SharedBreaker(policy.name, store, clock)
        self._clock = clock
        self._new_id = new_id
        self._last_window = Window(policy, since=None)

    async def call(self, make: Callable[[], Awaitable[T]], subject: str = "") -> T:
        """Return the result of `make()`, unless the breaker is open.

        Raises:
            BreakerOpen: the breaker was open, or opened by the failure of `make`.
            ProviderRefuses: the same, for an account or configuration fault.
        """
        async with self.admitted(subject):
            return await make()

    @asynccontextmanager
    async def admitted(
        self, subject: str = "", *, opens_for_faults: bool = True
    ) -> AsyncIterator[None]:
        """Let the caller make one call in this context. `subject` is the id of its visit or job.

        Without `opens_for_faults`, account and configuration faults are left to another breaker.

        Raises:
            BreakerOpen: the breaker was open, or opened by the failure of this call.
            ProviderRefuses: the same, for an account or configuration fault.
            RefusedAlone: the provider refused this call and serves other calls.
        """
        holder = await self._admission()
        window, started_at = self._window(), self._clock.now()

        def ended(*, failed: bool) -> Call:
            now = self._clock.now()
            return Call(now, now - started_at, failed)

        limit = asyncio.timeout(None if holder is None else self._policy.probe_for.total_seconds())
        try:
            try:
                async with limit:
                    yield
            except TimeoutError as error:
                if not limit.expired():
                    raise
                raise TimedOut(self._policy.code) from error
        except ProviderRefuses as error:
            if not opens_for_faults:
                await self._does_not_count(holder)
                raise
            raise await self._refuses(holder, window, subject, error) from error
        except (BreakerOpen, Unreadable):  # neither shows whether this dependency is healthy
            await self._does_not_count(holder)
            raise
        except Transient as error:
            await self._ended(holder, window, ended(failed=True))
            known = self._shared.known
            if known is None or known.is_closed:
                raise
            # An unanswered call may have been charged, so the stage counts it as a try. A probe
            # does not count, because all instances together make one probe a minute for all visits.
            if isinstance(error, Unanswered) and holder is None:
                raise
            # The visit of the call that opened the breaker, or of a failed probe, waits like all
            # other visits: the dependency is down, and the visit is not at fault.
            raise self._refused(known, at_least_s=error.retry_after_s or 0.0) from error
        except (Permanent, JobGone):
            await self._ended(holder, window, ended(failed=False), subject)
            raise
        except (Exception, asyncio.CancelledError):
            await self._does_not_count(holder)
            raise
        else:
            await self._ended(holder, window, ended(failed=False), subject)

    async def _admission(self) -> str | None:
        """Return the id of the caller's probe, or None for an ordinary call; raise if refused."""
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
            # The store may have leased the probe to this caller although the store's answer is
            # missing. So the caller reports the result, and no other caller has to wait for the
            # expiry of the lease.
            return holder if may_be_elected else None
        if breaker.is_closed:
            return None
        if breaker.is_probed_by(holder):
            return holder
        raise self._refused(breaker)

    async def refusal(self, unanswered_since: datetime | None = None) -> Held | None:
        """Return the error that a call would get now, or None, without starting a probe.

        With few calls, no instance sees five failures in a row. So the breaker also opens if all
        tries of a visit since `unanswered_since` failed and no call was answered meanwhile.
        """
        window, now = self._window(), self._clock.now()
        since = unanswered_since if self._policy.counts_failures else None
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

    def _refused(self, breaker: Breaker, at_least_s: float = 0.0) -> Held:
        code, wait_s = self._policy.code, max(self._wait(breaker).total_seconds(), at_least_s)
        if breaker.fault is not None:
            return ProviderRefuses(code, breaker.fault, retry_after_s=wait_s)
        return BreakerOpen(code, retry_after_s=wait_s)

    def _wait(self, breaker: Breaker) -> timedelta:
        return ask_again_in(breaker, self._clock.now(), self._policy)

    async def _refuses(
        self, holder: str | None, window: Window, subject: str, error: ProviderRefuses
    ) -> Held:
        """Open the breaker after a refusal: immediately, or after several different requests.

        Returns the error to raise to the caller.
        """
        now, fault = self._clock.now(), error.reason
        mark = breaker_suspects.mark(subject)
        self._shared.look_again()

        def change(breaker: Breaker) -> Breaker:
            if holder is not None:
                return probe_failed(breaker, holder, Reason.REFUSED, now, fault)
            if fault is DeploymentFault.REQUEST_REFUSED and subject:
                return breaker_suspects.refused(breaker, mark, now)
            return opened(breaker, window.since, Reason.REFUSED, now, fault)

        breaker = await self._shared.become(change)
        if breaker is not None and not breaker.is_closed:
            return self._refused(breaker, at_least_s=error.retry_after_s or 0.0)
        is_alone = breaker is not None and breaker_suspects.is_alone(breaker, mark)
        severity = "warning" if is_alone else "error"
        logs.event("request_refused", severity, dependency=self._policy.name, reason=fault)
        if is_alone:
            return RefusedAlone(error.code, retry_after_s=error.retry_after_s)
        return ProviderRefuses(error.code, fault, retry_after_s=error.retry_after_s)

    async def _does_not_count(self, holder: str | None) -> None:
        if holder is not None:
            await self._shared.become(lambda breaker: probe_given_up(breaker, holder))

    async def _ended(
        self, holder: str | None, window: Window, call: Call, subject: str = ""
    ) -> None:
        if holder is not None:
            await self._conclude(holder, call)
            return
        await self._count(window, call)
        known = self._shared.known
        if subject and not call.failed and known is not None and known.suspects:
            mark = breaker_suspects.mark(subject)
            await self._shared.become(lambda breaker: breaker_suspects.served(breaker, mark))

    async def _count(self, window: Window, call: Call) -> None:
        reason = window.add(call)
        if reason is not None and self._policy.counts_failures:
            now = self._clock.now()
            await self._shared.become(lambda breaker: opened(breaker, window.since, reason, now))
        elif call.failed and self._shared.known is not None:
            # Another instance may have opened the breaker, so the next call reads the store first.
            self._shared.look_again()

    async def _conclude(self, holder: str, call: Call) -> None:
        now = self._clock.now()
        self._shared.look_again()  # so that the outcome is saved even if the store was just down
        if call.failed or call.took > self._policy.slow:
            reason = Reason.PROBE_FAILED if call.failed else Reason.PROBE_SLOW
            await self._shared.become(lambda breaker: probe_failed(breaker, holder, reason, now))
        else:
            await self._shared.become(
                lambda breaker: probe_answered(breaker, holder, now, self._policy)
            )

    def _window(self) -> Window:
        """Return the window of calls since the breaker last changed."""
        known = self._shared.known
        if known is not None and known.changed_at != self._last_window.since:
            self._last_window = Window(self._policy, since=known.changed_at)
        return self._last_window


async def first_refusal(
    breakers: Sequence[CircuitBreaker], unanswered_since: datetime | None = None
) -> Held | None:
    """Return the error that a call through all of these breakers would get now, or None."""
    for breaker in breakers:
        refused = await breaker.refusal(unanswered_since)
        if refused is not None:
            return refused
    return None
