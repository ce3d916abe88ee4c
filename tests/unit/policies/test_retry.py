"""Test retries of calls on an event loop whose clock jumps, so that no test waits."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import pytest

from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import (
    DeploymentFault,
    Held,
    Permanent,
    ProviderRefuses,
    TimedOut,
    Transient,
    Unanswered,
)
from lumimd.domain.timing import MAX_TRIES
from lumimd.policies import retry
from lumimd.policies.retry import RetryPolicy

CODE = ErrorCode.SUMMARY_UNAVAILABLE
POLICY = RetryPolicy(attempts=4, timeout_s=10, initial_s=1, max_wait_s=20, jitter_s=0.5)
POLICIES = {name: each for name, each in vars(retry).items() if isinstance(each, RetryPolicy)}


class Jumping(selectors.DefaultSelector):
    """A selector that jumps to the next timer if no event is ready."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(timeout and 0)
        if timeout and not ready:
            self.now += timeout
        return ready


def jumping_loop() -> asyncio.AbstractEventLoop:
    clock = Jumping()
    loop = asyncio.SelectorEventLoop(clock)
    loop.time = lambda: clock.now  # type: ignore[method-assign]
    return loop


class Dependency:
    """A stub that raises `troubles`, then answers; records call times and cancellations."""

    def __init__(self, *troubles: Exception | None) -> None:
        self.troubles = list(troubles)
        self.called_at: list[float] = []
        self.cancelled = 0

    async def __call__(self) -> str:
        self.called_at.append(asyncio.get_running_loop().time())
        trouble = self.troubles.pop(0) if self.troubles else None
        if trouble is not None:
            raise trouble
        return "answer"

    @property
    def waits(self) -> list[float]:
        return [
            after - before
            for before, after in zip(self.called_at, self.called_at[1:], strict=False)
        ]


class Hanging(Dependency):
    """A stub that answers its first `times` calls after an hour."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    async def __call__(self) -> str:
        await super().__call__()
        if len(self.called_at) <= self.times:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
        return "answer"


def run(work: Coroutine[Any, Any, Any]) -> Any:
    with asyncio.Runner(loop_factory=jumping_loop) as runner:
        return runner.run(work)


def call(dependency: Dependency, policy: RetryPolicy = POLICY) -> Any:
    return run(retry.call(policy, CODE, dependency))


def transient(retry_after_s: float | None = None) -> Transient:
    return Transient(CODE, retry_after_s=retry_after_s)


def test_a_successful_call_is_made_once() -> None:
    dependency = Dependency()
    assert call(dependency) == "answer"
    assert len(dependency.called_at) == 1


def test_a_transient_error_is_retried() -> None:
    dependency = Dependency(transient(), transient())
    assert call(dependency) == "answer"
    assert len(dependency.called_at) == 3


@pytest.mark.parametrize(
    "trouble",
    [
        Permanent(CODE),
        ZeroDivisionError(),
        Held(CODE),
        ProviderRefuses(CODE, DeploymentFault.KEY_REFUSED),
    ],
)
def test_an_error_other_than_transient_is_not_retried(trouble: Exception) -> None:
    dependency = Dependency(trouble)
    with pytest.raises(type(trouble)) as raised:
        call(dependency)
    assert raised.value is trouble
    assert len(dependency.called_at) == 1


@pytest.mark.parametrize("name", POLICIES)
def test_the_attempts_are_bounded_and_the_last_error_is_raised(name: str) -> None:
    policy = POLICIES[name]
    troubles = [transient() for _ in range(100)]
    dependency = Dependency(*troubles)
    with pytest.raises(Transient) as raised:
        call(dependency, policy)
    assert raised.value is troubles[policy.attempts - 1]
    assert len(dependency.called_at) == policy.attempts


def test_the_pauses_between_attempts_double_and_have_bounded_jitter() -> None:
    seen: list[list[float]] = []
    for _ in range(20):
        dependency = Dependency(*(transient() for _ in range(3)))
        call(dependency)
        seen.append(dependency.waits)
    for expected, waits in zip((1, 2, 4), zip(*seen, strict=True), strict=True):
        assert all(expected <= wait <= expected + POLICY.jitter_s for wait in waits)
        assert max(waits) - min(waits) > 0.01, "without jitter all callers return at once"


@pytest.mark.parametrize("name", POLICIES)
def test_pauses_between_attempts_are_limited_by_the_policy(name: str) -> None:
    policy = replace(POLICIES[name], attempts=8)
    dependency = Dependency(*(transient() for _ in range(7)))
    call(dependency, policy)
    assert max(dependency.waits) <= policy.max_wait_s + 0.001


def test_a_retry_waits_for_retry_after_and_jitter() -> None:
    seen = set()
    for _ in range(20):
        dependency = Dependency(transient(retry_after_s=7))
        call(dependency)
        (wait,) = dependency.waits
        assert 7 <= wait <= 7 + POLICY.jitter_s
        seen.add(wait)
    assert len(seen) > 1, "callers with the same Retry-After do not return at once"


def test_a_retry_after_below_the_backoff_does_not_shorten_the_pause() -> None:
    dependency = Dependency(transient(), transient(), transient(retry_after_s=0.1))
    call(dependency)
    assert dependency.waits[-1] >= 4


def test_a_retry_after_above_the_limit_prevents_a_retry() -> None:
    dependency = Dependency(transient(retry_after_s=POLICY.max_wait_s + 1))
    with pytest.raises(Transient) as raised:
        call(dependency)
    assert raised.value.retry_after_s == POLICY.max_wait_s + 1
    assert len(dependency.called_at) == 1


def test_a_hanging_call_is_cancelled_at_its_time_limit_and_retried() -> None:
    dependency = Hanging(times=1)
    assert call(dependency) == "answer"
    assert dependency.cancelled == 1
    (wait,) = dependency.waits
    assert POLICY.timeout_s + 1 <= wait <= POLICY.timeout_s + 1 + POLICY.jitter_s + 0.001


def test_a_dependency_that_always_hangs_raises_timed_out_in_bounded_time() -> None:
    dependency = Hanging(times=100)

    async def timed() -> float:
        with pytest.raises(TimedOut) as raised:
            await retry.call(POLICY, CODE, dependency)
        assert raised.value.code is CODE
        return asyncio.get_running_loop().time()

    ended_at = run(timed())
    assert dependency.cancelled == POLICY.attempts
    assert ended_at <= POLICY.attempts * (POLICY.timeout_s + POLICY.max_wait_s)


@pytest.mark.parametrize(
    "dependency", [lambda: Hanging(times=1), lambda: Dependency(Unanswered(CODE))]
)
def test_an_unanswered_paid_call_is_not_repeated(
    dependency: Callable[[], Dependency],
) -> None:
    paid = dependency()
    with pytest.raises(Unanswered):
        call(paid, replace(POLICY, repeats_unanswered=False))
    assert len(paid.called_at) == 1


def test_a_paid_call_with_a_transient_error_response_is_repeated() -> None:
    dependency = Dependency(transient())
    assert call(dependency, replace(POLICY, repeats_unanswered=False)) == "answer"


def test_cancelling_the_caller_cancels_the_call_without_a_retry() -> None:
    dependency = Hanging(times=1)

    async def cancelled_early() -> None:
        working = asyncio.create_task(retry.call(POLICY, CODE, dependency))
        await asyncio.sleep(1)
        working.cancel()
        with pytest.raises(asyncio.CancelledError):
            await working

    run(cancelled_early())
    assert (len(dependency.called_at), dependency.cancelled) == (1, 1)


def test_a_timeout_of_the_caller_ends_the_call_and_its_retries() -> None:
    dependency = Dependency(*(transient() for _ in range(100)))

    async def limited() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2):
                await retry.call(POLICY, CODE, dependency)

    run(limited())
    assert len(dependency.called_at) == 2


def test_paid_calls_of_a_visit_are_bounded() -> None:
    assert retry.ORDER.attempts == 1, "an order has no idempotency key"
    assert not retry.MODEL.repeats_unanswered
    assert MAX_TRIES * retry.MODEL.attempts <= 9
