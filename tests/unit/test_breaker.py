"""The circuit breaker, in virtual time: a clock that is moved, or a loop whose clock jumps."""

import asyncio
import io
import json
import random
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest

from lumimd import logs
from lumimd.adapters.guarded import GuardedSummarizer, GuardedTranscriber
from lumimd.adapters.memory import ManualClock, MemoryTranscriber
from lumimd.adapters.memory.breakers import MemoryBreakerStore
from lumimd.errors import ErrorCode, Held, Permanent, Transient
from lumimd.ports import Clock, Conflict, JobGone
from lumimd.resilience import breaker_state as pure
from lumimd.resilience.breaker import BreakerOpen, CircuitBreaker
from lumimd.resilience.breaker_shared import CACHE_FOR, COMPLAIN_EVERY, STORE_WITHIN_S
from lumimd.resilience.breaker_state import (
    MODEL,
    TRANSCRIPTION,
    WHILE_PROBED,
    Breaker,
    Reason,
    State,
)
from lumimd.resilience.breaker_store import BreakerStore
from lumimd.resilience.retry import TimedOut
from tests.support.parts import START, CountingSummarizer, transcript
from tests.unit.test_retry import jumping_loop

CODE = ErrorCode.SUMMARY_UNAVAILABLE
SECOND = timedelta(seconds=1)
DEAD = Transient(CODE)
FIFTY = 50


class Instances(BreakerStore):
    """Breakers of many instances over one store, which remembers every state that was written.

    `trouble` is raised by the store instead of an answer, `lost_answers` of saves get lost, and a
    store with a `delay_s` answers that late.
    """

    def __init__(self, clock: Clock | None = None, delay_s: float = 0) -> None:
        self.clock = clock or ManualClock(START)
        self.delay_s = delay_s
        self.written: list[Breaker] = []
        self.reads = 0
        self.trouble: Exception | None = None
        self.lost_answers: list[Exception] = []
        self._kept = MemoryBreakerStore()
        self._ids = count(1)

    def instance(self, policy: pure.BreakerPolicy = MODEL) -> CircuitBreaker:
        return CircuitBreaker(policy, self, self.clock, lambda: f"id-{next(self._ids)}")

    async def get(self, name: str) -> tuple[Breaker, object] | None:
        self.reads += 1
        await self._answer()
        return await self._kept.get(name)

    async def save(self, read_version: object | None, breaker: Breaker) -> object:
        await self._answer()
        version = await self._kept.save(read_version, breaker)
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
        """What was written: state and successes, one a write."""
        return [(each.state, each.successes) for each in self.written]

    def wait(self, by: timedelta) -> None:
        assert isinstance(self.clock, ManualClock)
        self.clock.advance(by)


@pytest.fixture
def shared() -> Instances:
    return Instances()


@pytest.fixture
def logged() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    to = io.StringIO()
    logs.configure(to)
    yield lambda: [json.loads(line) for line in to.getvalue().splitlines()]
    logs.configure()


async def ask(
    breaker: CircuitBreaker,
    outcome: BaseException | None = None,
    takes: Callable[[], object] = lambda: None,
) -> str:
    """How a call through the breaker ended: `answered`, `refused`, or the class of its error."""

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


# What opens it


async def test_the_states_on_scripted_failures_are_exactly_these(shared: Instances) -> None:
    breaker = shared.instance()
    assert [await ask(breaker, DEAD) for _ in range(5)] == ["Transient"] * 5
    assert shared.states == [(State.OPEN, 0)]
    assert shared.written[0].reason is Reason.FAILURES_IN_A_ROW
    assert await ask(breaker) == "refused"
    shared.wait(60 * SECOND - timedelta(microseconds=1))
    assert await ask(breaker) == "refused"
    shared.wait(timedelta(microseconds=1))
    assert [await ask(breaker) for _ in range(3)] == ["answered"] * 3
    assert shared.states == [
        (State.OPEN, 0),
        (State.HALF_OPEN, 0),  # the first probe is elected
        (State.HALF_OPEN, 1),
        (State.HALF_OPEN, 1),  # the second one is
        (State.CLOSED, 0),
    ]
    assert shared.written[-1].probe is None


async def test_one_success_then_a_failure_opens_it_for_another_pause(shared: Instances) -> None:
    breaker = shared.instance()
    await open_(shared, breaker)
    shared.wait(60 * SECOND)
    assert [await ask(breaker), await ask(breaker, DEAD)] == ["answered", "Transient"]
    assert shared.states[-1] == (State.OPEN, 0)
    assert shared.written[-1].reason is Reason.PROBE_FAILED
    shared.wait(60 * SECOND - timedelta(microseconds=1))
    assert await ask(breaker) == "refused"
    shared.wait(timedelta(microseconds=1))
    assert await ask(breaker) == "answered"
    assert shared.states[-1] == (State.HALF_OPEN, 1)  # the success before does not count any more


async def test_a_success_in_between_starts_the_count_again(shared: Instances) -> None:
    breaker = shared.instance()
    for _ in range(3):
        for _ in range(4):
            await ask(breaker, DEAD)
            shared.wait(MODEL.window / 5)  # so slowly that the rate does not count
        await ask(breaker)
    assert not shared.written


async def test_a_bad_rate_opens_it_without_five_in_a_row(shared: Instances) -> None:
    breaker = shared.instance()
    for _ in range(4):
        await ask(breaker, DEAD)
        await ask(breaker)
    assert not shared.written  # eight calls are too few to speak of a rate
    await ask(breaker)
    await ask(breaker, DEAD)
    assert [(each.state, each.reason) for each in shared.written] == [
        (State.OPEN, Reason.ERROR_RATE)
    ]


async def test_a_rate_just_below_the_limit_does_not_open_it(shared: Instances) -> None:
    breaker = shared.instance()
    for _ in range(30):
        for outcome in (DEAD, None, None, DEAD, None):
            await ask(breaker, outcome)
    assert not shared.written


async def test_failures_outside_of_the_window_do_not_count_for_the_rate(shared: Instances) -> None:
    breaker = shared.instance()
    for _ in range(20):
        await ask(breaker, DEAD)
        await ask(breaker)
        shared.wait(MODEL.window / 4)
    assert not shared.written


async def test_slow_answers_open_it_although_nothing_fails(shared: Instances) -> None:
    breaker = shared.instance()

    async def slow(by: timedelta) -> str:
        return await ask(breaker, takes=lambda: shared.wait(by))

    quick = [await slow(timedelta(0)) for _ in range(4)]
    at_the_limit = [await slow(MODEL.slow) for _ in range(3)]
    assert not shared.written
    late = [await slow(MODEL.slow + SECOND) for _ in range(7)]
    assert {*quick, *at_the_limit, *late} == {"answered"}
    assert [(each.state, each.reason) for each in shared.written] == [(State.OPEN, Reason.SLOW)]
    assert await ask(breaker) == "refused"


@pytest.mark.parametrize("policy", [MODEL, TRANSCRIPTION], ids=lambda policy: policy.name)
async def test_an_instance_that_calls_one_after_the_other_sees_slowness(
    shared: Instances, policy: pure.BreakerPolicy
) -> None:
    breaker = shared.instance(policy)
    for _ in range(policy.least_calls):
        await ask(breaker, takes=lambda: shared.wait(policy.slow + SECOND))
    assert [each.reason for each in shared.written] == [Reason.SLOW]


async def test_a_slow_answer_to_a_probe_opens_it_again(shared: Instances) -> None:
    breaker = shared.instance()
    await open_(shared, breaker)
    shared.wait(60 * SECOND)
    takes = MODEL.slow + SECOND
    assert await ask(breaker, takes=lambda: shared.wait(takes)) == "answered"
    assert shared.states[-1] == (State.OPEN, 0)
    assert shared.written[-1].reason is Reason.PROBE_SLOW


@pytest.mark.parametrize("outcome", [Permanent(CODE), JobGone()])
async def test_who_refuses_or_knows_no_such_job_has_answered(
    shared: Instances, outcome: Exception
) -> None:
    breaker = shared.instance()
    for _ in range(20):
        assert await ask(breaker, outcome) == type(outcome).__name__
    assert not shared.written
    await open_(shared, breaker)
    shared.wait(60 * SECOND)
    await ask(breaker, outcome)
    await ask(breaker, outcome)
    assert shared.states[-1] == (State.CLOSED, 0)


@pytest.mark.parametrize("outcome", [KeyError("a bug of ours"), asyncio.CancelledError()])
async def test_a_bug_or_a_cancelled_call_says_nothing(
    shared: Instances, outcome: BaseException
) -> None:
    async def said_nothing(breaker: CircuitBreaker) -> None:
        with pytest.raises(type(outcome)):
            async with breaker.admitted():
                raise outcome

    breaker = shared.instance()
    for _ in range(20):
        await said_nothing(breaker)
    assert not shared.written
    await open_(shared, breaker)
    shared.wait(60 * SECOND)
    await said_nothing(breaker)
    assert shared.states[-1] == (State.HALF_OPEN, 0)
    assert shared.written[-1].probe is None  # the next caller may probe at once
    assert [await ask(breaker), await ask(breaker)] == ["answered"] * 2
    assert shared.states[-1] == (State.CLOSED, 0)


async def test_calls_that_began_before_it_opened_do_not_count_afterwards(
    shared: Instances,
) -> None:
    breaker = shared.instance()
    go_on = asyncio.Event()

    async def hanging() -> None:
        await go_on.wait()
        raise DEAD

    old = [asyncio.create_task(breaker.call(hanging)) for _ in range(20)]
    await asyncio.sleep(0.001)
    await open_(shared, breaker)
    shared.wait(60 * SECOND)
    assert [await ask(breaker), await ask(breaker)] == ["answered"] * 2
    go_on.set()
    await asyncio.gather(*old, return_exceptions=True)
    assert shared.states[-1] == (State.CLOSED, 0)


# Who probes


async def test_of_a_hundred_callers_exactly_one_probes(shared: Instances) -> None:
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
    """All ask at the same moment, and nobody answers before all have asked."""
    asked = 0
    all_have_asked = asyncio.Event()

    async def one(breaker: CircuitBreaker) -> str:
        nonlocal asked
        ended = "answered"
        try:
            async with breaker.admitted():
                asked += 1
                if asked == len(instances):
                    all_have_asked.set()
                await all_have_asked.wait()
        except BreakerOpen:
            asked += 1
            ended = "refused"
            if asked == len(instances):
                all_have_asked.set()
        return ended

    return list(await asyncio.gather(*map(one, instances)))


async def test_a_probe_whose_holder_died_is_replaced_when_its_claim_ends(
    shared: Instances,
) -> None:
    dying, other = shared.instance(), shared.instance()
    await open_(shared, dying)
    shared.wait(60 * SECOND)
    dead = dying.admitted()
    await dead.__aenter__()  # and it is never heard of again
    shared.wait(MODEL.probe_for - SECOND)
    assert await ask(other) == "refused"
    shared.wait(SECOND)
    assert await ask(other) == "answered"
    assert shared.states[-1] == (State.HALF_OPEN, 1)
    await dead.__aexit__(DEAD.__class__, DEAD, None)  # a zombie reports a failure
    assert shared.states[-1] == (State.HALF_OPEN, 1)


def test_a_probe_ends_when_its_claim_does() -> None:
    async def scene(shared: Instances) -> None:
        breaker = shared.instance()
        await open_(shared, breaker)
        await asyncio.sleep(60)
        began_at = shared.clock.now()
        with pytest.raises(TimedOut):
            await breaker.call(asyncio.Event().wait)
        assert shared.clock.now() - began_at == MODEL.probe_for
        assert shared.states[-1] == (State.OPEN, 0)

    played(scene)


def test_an_ordinary_call_may_take_as_long_as_it_takes() -> None:
    async def scene(shared: Instances) -> None:
        assert await shared.instance().call(lambda: asyncio.sleep(10_000, "answered"))

    played(scene)


# What a refusal says


async def test_a_refusal_says_when_to_ask_again_and_that_nobody_was_asked(
    shared: Instances,
) -> None:
    breaker = shared.instance()
    await open_(shared, breaker)

    async def asked_s() -> float | None:
        with pytest.raises(Held) as refused:
            await ask_or_raise(breaker)
        assert refused.value.code is CODE
        return refused.value.retry_after_s

    assert await asked_s() == 60
    shared.wait(45 * SECOND)
    assert await asked_s() == 15
    shared.wait(15 * SECOND)
    async with breaker.admitted():
        assert await asked_s() == WHILE_PROBED.total_seconds()
        shared.wait(MODEL.probe_for - 2 * SECOND)
        assert await asked_s() == 2


async def ask_or_raise(breaker: CircuitBreaker) -> None:
    async with breaker.admitted():
        raise AssertionError("was let through")


# What it costs


async def test_closed_it_reads_every_five_seconds_and_writes_nothing(shared: Instances) -> None:
    breaker = shared.instance()
    for _ in range(600):
        await asyncio.gather(*(ask(breaker) for _ in range(20)))
        shared.wait(SECOND / 10)
    assert shared.reads == 60 * SECOND / CACHE_FOR
    assert not shared.written


async def test_a_failure_makes_the_next_call_look(shared: Instances) -> None:
    here, there = shared.instance(), shared.instance()
    await ask(there)
    await ask(there, DEAD)
    await open_(shared, here)
    assert await ask(there) == "refused"


# Many instances against what is dead


@dataclass
class Outage:
    """Counts the calls that reach what is dead, each as long as it takes to find out."""

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

    async def insist(self, breaker: CircuitBreaker, pause_s: Callable[[], float]) -> None:
        """Call, wait, call again for two hours; who is refused comes back when it is told to."""
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
def test_fifty_cold_instances_reach_what_is_dead_a_bounded_number_of_times(
    seed: int | None,
) -> None:
    """All in step (the worst case) or each at its own moments (as in life), for two hours."""
    draw = random.Random(seed)

    async def scene(shared: Instances) -> None:
        outage = Outage(shared)
        pause_s = (lambda: 0.0) if seed is None else (lambda: draw.expovariate(1 / 2))
        instances = [shared.instance() for _ in range(FIFTY)]
        await asyncio.gather(*(outage.insist(each, pause_s) for each in instances))
        opened = [each for each in shared.written if each.state is State.OPEN]
        half_opened = [each for each in shared.written if each.state is State.HALF_OPEN]
        # Five failures each where nobody is the first to know; in life somebody is.
        assert outage.before == 5 * FIFTY if seed is None else outage.before < 4 * FIFTY
        assert outage.after == 0
        # One a half-open period, and a period a minute.
        assert outage.probes == len(half_opened) == len(opened) - 1
        assert 115 <= outage.probes <= 120

    played(scene, delay_s=0.02)


async def test_who_believes_that_it_is_closed_calls_once_more_and_then_looks(
    shared: Instances,
) -> None:
    instances = [shared.instance() for _ in range(FIFTY)]
    await asyncio.gather(*(ask(each) for each in instances))
    await open_(shared, instances[0])
    once_more = await asyncio.gather(*(ask(each, DEAD) for each in instances))
    assert (once_more.count("refused"), once_more.count("Transient")) == (1, FIFTY - 1)
    assert await asyncio.gather(*(ask(each, DEAD) for each in instances)) == ["refused"] * FIFTY


def test_instances_that_start_while_it_is_open_call_nobody() -> None:
    async def scene(shared: Instances) -> None:
        await open_(shared, shared.instance())
        ended = await asyncio.gather(*(ask(shared.instance(), DEAD) for _ in range(FIFTY)))
        assert ended == ["refused"] * FIFTY

    played(scene, delay_s=0.02)


class LoopClock:
    """The time of day of a loop whose clock jumps."""

    def now(self) -> datetime:
        return START + timedelta(seconds=asyncio.get_running_loop().time())


def played(scene: Callable[[Instances], Coroutine[Any, Any, None]], delay_s: float = 0) -> None:
    loop = jumping_loop()
    try:
        loop.run_until_complete(scene(Instances(LoopClock(), delay_s)))
    finally:
        loop.close()


# When its store is away


@pytest.mark.parametrize(
    "trouble", [Transient(ErrorCode.INTERNAL_ERROR), PermissionError(), ValueError("unreadable")]
)
async def test_calls_pass_while_the_store_is_down(
    shared: Instances, trouble: Exception, logged: Callable[[], list[dict[str, Any]]]
) -> None:
    breaker = shared.instance()
    await open_(shared, breaker)
    shared.trouble = trouble
    assert await ask(breaker) == "refused"  # what it read lately is believed
    shared.wait(CACHE_FOR)
    shared.reads = 0
    for _ in range(10):
        ended = await asyncio.gather(*(ask(breaker, DEAD) for _ in range(10)))
        assert ended == ["Transient"] * 10
        shared.wait(SECOND)
    assert shared.reads == 2  # nor is the store asked by every call
    shared.wait(COMPLAIN_EVERY)
    await ask(breaker)
    complaints = [line for line in logged() if line["event"] == "breaker_store_failed"]
    assert [line["dependency"] for line in complaints] == ["model"] * 2

    shared.trouble = None
    shared.wait(CACHE_FOR)
    await ask(breaker, DEAD)
    assert shared.states == [(State.OPEN, 0), (State.HALF_OPEN, 0), (State.OPEN, 0)]


async def test_it_opens_when_the_store_is_back(shared: Instances) -> None:
    breaker = shared.instance()
    shared.trouble = Transient(ErrorCode.INTERNAL_ERROR)
    for _ in range(10):
        assert await ask(breaker, DEAD) == "Transient"
    shared.trouble = None
    shared.wait(CACHE_FOR)
    assert await ask(breaker, DEAD) == "Transient"
    assert await ask(breaker, DEAD) == "refused"


def test_a_slow_store_delays_a_call_by_a_second_and_no_more() -> None:
    async def scene(shared: Instances) -> None:
        breaker = shared.instance()
        began_at = shared.clock.now()
        ended = await asyncio.gather(*(ask(breaker) for _ in range(100)))
        assert ended == ["answered"] * 100
        assert shared.clock.now() - began_at == timedelta(seconds=STORE_WITHIN_S)
        assert await ask(breaker) == "answered"
        assert shared.clock.now() - began_at == timedelta(seconds=STORE_WITHIN_S)

    played(scene, delay_s=30)


def test_a_cancelled_probe_is_given_up_within_a_second() -> None:
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
        assert shared.clock.now() - began_at <= timedelta(seconds=STORE_WITHIN_S)

    played(scene)


async def test_a_probe_reports_although_the_store_was_down_meanwhile(shared: Instances) -> None:
    breaker = shared.instance()
    await open_(shared, breaker)
    shared.wait(60 * SECOND)
    async with breaker.admitted():
        shared.trouble = Transient(ErrorCode.INTERNAL_ERROR)
        shared.wait(CACHE_FOR)
        await ask(breaker)
        shared.trouble = None
    assert shared.states[-1] == (State.HALF_OPEN, 1)


@pytest.mark.parametrize("lost", [Conflict(), Transient(ErrorCode.INTERNAL_ERROR)])
async def test_a_save_whose_answer_is_lost_is_recognized(
    shared: Instances, lost: Exception, logged: Callable[[], list[dict[str, Any]]]
) -> None:
    """A repeated write conflicts with itself; or the answer is just an error."""
    breaker = shared.instance()
    await open_(shared, breaker)
    shared.wait(60 * SECOND)
    shared.lost_answers = [lost]
    assert await ask(breaker) == "answered"
    assert shared.states == [(State.OPEN, 0), (State.HALF_OPEN, 0), (State.HALF_OPEN, 1)]
    if isinstance(lost, Conflict):
        assert [line["event"] for line in logged()] == ["breaker_opened", "breaker_half_opened"]


# Dependencies, and what is written down


async def test_while_the_model_is_down_recordings_are_still_ordered(shared: Instances) -> None:
    model, provider = CountingSummarizer(), MemoryTranscriber()
    summarizer = GuardedSummarizer(model, shared.instance(MODEL))
    transcriber = GuardedTranscriber(provider, shared.instance(TRANSCRIPTION))
    model.raises = [DEAD] * 5
    for _ in range(5):
        with pytest.raises(Transient):
            await summarizer.summarize(transcript())
    with pytest.raises(BreakerOpen) as refused:
        await summarizer.summarize(transcript())
    assert refused.value.code is ErrorCode.SUMMARY_UNAVAILABLE
    assert model.calls == 5
    job = await transcriber.submit("https://audio", visit_id="visit-1", attempt=1)
    assert (await transcriber.fetch(job)).transcript_id == job
    assert [each.name for each in shared.written] == ["model"]
    assert (summarizer.source, transcriber.provider) == ("model", "memory")


async def test_each_transition_is_logged_once_with_its_reason(
    shared: Instances, logged: Callable[[], list[dict[str, Any]]]
) -> None:
    breaker = shared.instance()
    await open_(shared, breaker)
    shared.wait(60 * SECOND)
    await ask(breaker)
    await ask(breaker)
    told = [(line["event"], line["dependency"], line["reason"]) for line in logged()]
    assert told == [
        ("breaker_opened", "model", "failures_in_a_row"),
        ("breaker_half_opened", "model", "pause_over"),
        ("breaker_closed", "model", "probes_answered"),
    ]
