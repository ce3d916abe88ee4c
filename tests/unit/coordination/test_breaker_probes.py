"""Test the probes of a half-open breaker: election, time limit, and takeover after a crash."""

import asyncio
from datetime import timedelta

import pytest

from lumimd.coordination.breaker.breaker import BreakerOpen, CircuitBreaker
from lumimd.domain.errors import TimedOut
from lumimd.policies import retry
from lumimd.policies.breaker import MODEL, TRANSCRIPTION, WHILE_PROBED, BreakerPolicy, State
from lumimd.policies.lease import SUBMISSION, SUMMARY, LeaseDuration
from tests.support.breakers import DEAD, SECOND, Instances, ask, open_, played

FIFTY = 50


@pytest.fixture
def shared() -> Instances:
    return Instances()


async def test_of_a_hundred_concurrent_callers_exactly_one_probes(shared: Instances) -> None:
    breaker = shared.instance()
    await open_(shared, breaker)
    shared.wait(60 * SECOND)
    ended = await probes_of([breaker] * 100)
    assert (ended.count("answered"), ended.count("refused")) == (1, 99)


async def test_of_fifty_instances_exactly_one_probes_in_each_round(shared: Instances) -> None:
    await open_(shared, shared.instance())
    shared.wait(60 * SECOND)
    instances = [shared.instance() for _ in range(FIFTY)]
    for successes in (1, 0):
        ended = await probes_of(instances)
        assert (ended.count("answered"), ended.count("refused")) == (1, FIFTY - 1)
        assert shared.states[-1][1] == successes
        shared.wait(WHILE_PROBED)
    assert shared.states[-1] == (State.CLOSED, 0)
    assert await probes_of(instances) == ["answered"] * FIFTY


async def probes_of(instances: list[CircuitBreaker]) -> list[str]:
    """Call from all instances at one moment; a probe is answered after the last call."""
    seen = 0
    all_seen = asyncio.Event()

    async def one(breaker: CircuitBreaker) -> str:
        nonlocal seen
        ended = "answered"
        try:
            async with breaker.admitted():
                seen += 1
                if seen == len(instances):
                    all_seen.set()
                await all_seen.wait()
        except BreakerOpen:
            seen += 1
            ended = "refused"
            if seen == len(instances):
                all_seen.set()
        return ended

    return list(await asyncio.gather(*map(one, instances)))


async def test_another_caller_probes_after_the_lease_expiry_of_a_crashed_probe(
    shared: Instances,
) -> None:
    dying, other = shared.instance(), shared.instance()
    await open_(shared, dying)
    shared.wait(60 * SECOND)
    crashed = dying.admitted()
    await crashed.__aenter__()  # the holder of the probe crashes without a report
    shared.wait(MODEL.probe_for - SECOND)
    assert await ask(other) == "refused"
    shared.wait(SECOND)
    assert await ask(other) == "answered"
    assert shared.states[-1] == (State.HALF_OPEN, 1)
    with pytest.raises(BreakerOpen):
        await crashed.__aexit__(DEAD.__class__, DEAD, None)  # the crashed holder reports late
    assert shared.states[-1] == (State.HALF_OPEN, 1)


def test_a_probe_ends_at_its_time_limit() -> None:
    async def scene(shared: Instances) -> None:
        breaker = shared.instance()
        await open_(shared, breaker)
        await asyncio.sleep(60)
        began_at = shared.clock.now()
        with pytest.raises(BreakerOpen) as ended:
            await breaker.call(lambda: asyncio.sleep(10_000))
        assert isinstance(ended.value.__cause__, TimedOut)
        assert shared.clock.now() - began_at == MODEL.probe_for
        assert shared.states[-1] == (State.OPEN, 0)

    played(scene)


@pytest.mark.parametrize(
    ("policy", "lease", "paid"),
    [(MODEL, SUMMARY, retry.MODEL), (TRANSCRIPTION, SUBMISSION, retry.ORDER)],
)
def test_a_probe_ends_before_the_lease_and_after_the_timeout_of_a_paid_call(
    policy: BreakerPolicy, lease: LeaseDuration, paid: retry.RetryPolicy
) -> None:
    """A probe that outlives its lease would report nothing and use up a try of its visit."""
    assert timedelta(seconds=paid.timeout_s) < policy.probe_for < lease.work


def test_a_call_through_a_closed_breaker_has_no_time_limit() -> None:
    async def scene(shared: Instances) -> None:
        assert await shared.instance().call(lambda: asyncio.sleep(10_000, "answered"))

    played(scene)
