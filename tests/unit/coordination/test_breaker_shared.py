"""Test a breaker that many instances share, and failures of the store of the breaker."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest

from lumimd.coordination.breaker.breaker import BreakerOpen, CircuitBreaker
from lumimd.domain.codes import ErrorCode
from lumimd.domain.commit import Conflict
from lumimd.domain.errors import Transient
from lumimd.policies.breaker import State
from lumimd.policies.keeping import BREAKER_KEPT_FOR, COMPLAIN_EVERY
from lumimd.policies.time_budgets import BREAKER_STORE_S
from tests.support.breakers import DEAD, SECOND, Instances, ask, logged, open_, played

FIFTY = 50


@pytest.fixture
def shared() -> Instances:
    return Instances()


# Many instances and a dependency that is down


@dataclass
class Outage:
    """A stub dependency that counts its calls; each call fails after `call_s` seconds."""

    shared: Instances
    call_s: float = 1.0
    before: int = 0
    after: int = 0
    probes: int = 0

    async def call(self) -> None:
        if not self.shared.written:
            self.before += 1
        elif self.shared.written[-1].state is State.HALF_OPEN:
            self.probes += 1
        else:
            self.after += 1
        await asyncio.sleep(self.call_s)
        raise DEAD

    async def keep_calling(self, breaker: CircuitBreaker, pause_s: Callable[[], float]) -> None:
        """Call repeatedly for two hours; a refused caller waits for Retry-After."""
        end = self.shared.clock.now() + timedelta(hours=2)
        while self.shared.clock.now() < end:
            await asyncio.sleep(pause_s())
            try:
                await breaker.call(self.call)
            except BreakerOpen as refused:
                await asyncio.sleep(refused.retry_after_s or 0)
            except Transient:
                pass


@pytest.mark.parametrize("seed", [None, 1, 2, 3])
def test_fifty_new_instances_call_a_failed_dependency_a_bounded_number_of_times(
    seed: int | None,
) -> None:
    """Instances call for two hours: all together (the worst case) or at random moments."""
    draw = random.Random(seed)

    async def scene(shared: Instances) -> None:
        outage = Outage(shared)
        pause_s = (lambda: 0.0) if seed is None else (lambda: draw.expovariate(1 / 2))
        instances = [shared.instance() for _ in range(FIFTY)]
        await asyncio.gather(*(outage.keep_calling(each, pause_s) for each in instances))
        opened = [each for each in shared.written if each.state is State.OPEN]
        half_opened = [each for each in shared.written if each.state is State.HALF_OPEN]
        # Each instance fails five times in the worst case; usually one opens the breaker first.
        assert outage.before == 5 * FIFTY if seed is None else outage.before < 4 * FIFTY
        assert outage.after == 0
        # Each half-open period has one probe, and each minute has one such period.
        assert outage.probes == len(half_opened) == len(opened) - 1
        assert 115 <= outage.probes <= 120

    played(scene, delay_s=0.02)


async def test_an_instance_with_a_stale_closed_breaker_makes_one_call_before_it_refuses(
    shared: Instances,
) -> None:
    instances = [shared.instance() for _ in range(FIFTY)]
    await asyncio.gather(*(ask(each) for each in instances))
    await open_(shared, instances[0])
    once_more = await asyncio.gather(*(ask(each, DEAD) for each in instances))
    assert (once_more.count("refused"), once_more.count("Transient")) == (1, FIFTY - 1)
    assert await asyncio.gather(*(ask(each, DEAD) for each in instances)) == ["refused"] * FIFTY


def test_a_new_instance_makes_no_call_while_the_breaker_is_open() -> None:
    async def scene(shared: Instances) -> None:
        await open_(shared, shared.instance())
        ended = await asyncio.gather(*(ask(shared.instance(), DEAD) for _ in range(FIFTY)))
        assert ended == ["refused"] * FIFTY

    played(scene, delay_s=0.02)


# When the breaker's store is down


@pytest.mark.parametrize(
    "trouble", [Transient(ErrorCode.INTERNAL_ERROR), PermissionError(), ValueError("unreadable")]
)
async def test_calls_pass_while_the_store_of_the_breaker_is_down(
    shared: Instances, trouble: Exception
) -> None:
    breaker = shared.instance()
    await open_(shared, breaker)
    shared.trouble = trouble
    assert await ask(breaker) == "refused"  # the last read is still valid
    shared.wait(BREAKER_KEPT_FOR)
    shared.reads = 0
    with logged() as lines:
        for _ in range(10):
            assert await ask(breaker, DEAD) == "Transient"
            assert await asyncio.gather(*(ask(breaker) for _ in range(9))) == ["answered"] * 9
            shared.wait(SECOND)
        assert shared.reads == 2  # most calls do not read the store
        shared.wait(COMPLAIN_EVERY)
        await ask(breaker)
    assert [(line["event"], line["dependency"]) for line in lines()] == [
        ("breaker_store_failed", "model")
    ] * 2  # most failures are not logged

    shared.trouble = None
    shared.wait(BREAKER_KEPT_FOR)
    await ask(breaker, DEAD)
    assert shared.states == [(State.OPEN, 0), (State.HALF_OPEN, 0), (State.OPEN, 0)]


async def test_the_breaker_opens_after_its_store_has_recovered(shared: Instances) -> None:
    breaker = shared.instance()
    shared.trouble = Transient(ErrorCode.INTERNAL_ERROR)
    for _ in range(10):
        assert await ask(breaker, DEAD) == "Transient"
    shared.trouble = None
    shared.wait(BREAKER_KEPT_FOR)
    assert await ask(breaker, DEAD) == "refused"
    assert await ask(breaker, DEAD) == "refused"


def test_a_slow_store_of_the_breaker_delays_a_call_by_at_most_a_second() -> None:
    async def scene(shared: Instances) -> None:
        breaker = shared.instance()
        began_at = shared.clock.now()
        ended = await asyncio.gather(*(ask(breaker) for _ in range(100)))
        assert ended == ["answered"] * 100
        assert shared.clock.now() - began_at == timedelta(seconds=BREAKER_STORE_S)
        assert await ask(breaker) == "answered"
        assert shared.clock.now() - began_at == timedelta(seconds=BREAKER_STORE_S)

    played(scene, delay_s=30)


def test_a_cancelled_probe_ends_within_a_second_although_the_store_is_slow() -> None:
    async def scene(shared: Instances) -> None:
        breaker = shared.instance()
        await open_(shared, breaker)
        await asyncio.sleep(60)
        probe = asyncio.create_task(breaker.call(asyncio.Event().wait))
        await asyncio.sleep(1)
        shared.delay_s = 30
        began_at = shared.clock.now()
        probe.cancel()
        with pytest.raises(asyncio.CancelledError):
            await probe
        assert shared.clock.now() - began_at <= timedelta(seconds=BREAKER_STORE_S)

    played(scene)


async def test_a_successful_probe_is_saved_although_the_store_failed_during_the_probe(
    shared: Instances,
) -> None:
    breaker = shared.instance()
    await open_(shared, breaker)
    shared.wait(60 * SECOND)
    async with breaker.admitted():
        shared.trouble = Transient(ErrorCode.INTERNAL_ERROR)
        shared.wait(BREAKER_KEPT_FOR)
        await ask(breaker)
        shared.trouble = None
    assert shared.states[-1] == (State.HALF_OPEN, 1)


@pytest.mark.parametrize("lost", [Conflict(), Transient(ErrorCode.INTERNAL_ERROR)])
async def test_a_breaker_save_with_a_lost_response_is_counted_once(
    shared: Instances, lost: Exception
) -> None:
    """The save was written, but its repetition conflicts or its response is an error."""
    breaker = shared.instance()
    await open_(shared, breaker)
    shared.wait(60 * SECOND)
    shared.lost_answers = [lost]
    with logged() as lines:
        assert await ask(breaker) == "answered"
    assert shared.states == [(State.OPEN, 0), (State.HALF_OPEN, 0), (State.HALF_OPEN, 1)]
    if isinstance(lost, Conflict):
        assert [line["event"] for line in lines()] == ["breaker_half_opened"]
