"""Test the circuit breaker in virtual time."""

import asyncio
from datetime import timedelta

import pytest

from lumimd.adapters.memory import MemoryTranscriber
from lumimd.coordination.breaker.breaker import BreakerOpen, CircuitBreaker
from lumimd.coordination.breaker.guarded import GuardedSummarizer, GuardedTranscriber
from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import Held, Permanent, Transient, Unanswered
from lumimd.policies.breaker import MODEL, TRANSCRIPTION, WHILE_PROBED, BreakerPolicy, Reason, State
from lumimd.policies.keeping import BREAKER_KEPT_FOR
from lumimd.ports.transcriber import JobGone
from tests.support.breakers import CODE, DEAD, SECOND, Instances, ask, logged, open_
from tests.support.services import CountingSummarizer, transcript, upload


@pytest.fixture
def shared() -> Instances:
    return Instances()


# Reasons to open


async def test_five_failures_open_the_breaker_and_two_probes_close_it(shared: Instances) -> None:
    breaker = shared.instance()
    assert [await ask(breaker, DEAD) for _ in range(5)] == [*["Transient"] * 4, "refused"]
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
        (State.HALF_OPEN, 1),  # the second probe is elected
        (State.CLOSED, 0),
    ]
    assert shared.written[-1].probe is None


async def test_a_failed_second_probe_opens_the_breaker_for_another_pause(shared: Instances) -> None:
    breaker = shared.instance()
    await open_(shared, breaker)
    shared.wait(60 * SECOND)
    assert [await ask(breaker), await ask(breaker, DEAD)] == ["answered", "refused"]
    assert shared.states[-1] == (State.OPEN, 0)
    assert shared.written[-1].reason is Reason.PROBE_FAILED
    shared.wait(60 * SECOND - timedelta(microseconds=1))
    assert await ask(breaker) == "refused"
    shared.wait(timedelta(microseconds=1))
    assert await ask(breaker) == "answered"
    assert shared.states[-1] == (State.HALF_OPEN, 1)  # the earlier success no longer counts


async def test_the_opening_failure_and_a_failed_probe_get_a_retry_after_of_60_seconds(
    shared: Instances,
) -> None:
    breaker = shared.instance()
    for _ in range(4):
        await ask(breaker, DEAD)
    with pytest.raises(BreakerOpen) as opened:
        await breaker.call(dead)
    assert opened.value.retry_after_s == 60
    shared.wait(60 * SECOND)
    with pytest.raises(BreakerOpen) as probed:
        await breaker.call(dead)
    assert probed.value.retry_after_s == 60


async def test_an_unanswered_call_raises_unanswered_but_an_unanswered_probe_is_refused(
    shared: Instances,
) -> None:
    breaker = shared.instance()
    assert [await ask(breaker, Unanswered(CODE)) for _ in range(5)] == ["Unanswered"] * 5
    assert shared.states == [(State.OPEN, 0)]
    shared.wait(60 * SECOND)
    assert await ask(breaker, Unanswered(CODE)) == "refused"


async def test_reading_the_refusal_of_an_open_breaker_elects_no_probe(shared: Instances) -> None:
    breaker = shared.instance()
    assert await breaker.refusal() is None
    await open_(shared, breaker)
    refused = await breaker.refusal()
    assert refused
    assert refused.retry_after_s == 60
    shared.wait(60 * SECOND)
    assert await breaker.refusal() is None
    assert shared.states == [(State.OPEN, 0)]


async def test_the_breaker_opens_when_no_call_was_answered_since_a_visits_first_try(
    shared: Instances,
) -> None:
    breaker, elsewhere = shared.instance(), shared.instance()
    began = shared.clock.now()
    await ask(breaker, DEAD)
    assert await breaker.refusal(unanswered_since=began) is not None
    assert shared.written[-1].reason is Reason.UNANSWERED
    assert await ask(elsewhere) == "refused"


async def test_the_breaker_stays_closed_if_another_call_was_answered_since_the_first_try(
    shared: Instances,
) -> None:
    breaker = shared.instance()
    began = shared.clock.now()
    shared.wait(SECOND)
    await ask(breaker)
    assert await breaker.refusal(unanswered_since=began) is None
    assert not shared.written


async def test_the_breaker_stays_closed_if_probes_were_answered_since_the_first_try(
    shared: Instances,
) -> None:
    breaker, elsewhere = shared.instance(), shared.instance()
    began = shared.clock.now()
    await open_(shared, breaker)
    shared.wait(60 * SECOND)
    assert [await ask(breaker), await ask(breaker)] == ["answered"] * 2
    assert await elsewhere.refusal(unanswered_since=began) is None
    assert shared.states[-1] == (State.CLOSED, 0)


async def dead() -> None:
    raise DEAD


async def test_a_success_resets_the_count_of_failures_in_a_row(shared: Instances) -> None:
    breaker = shared.instance()
    for _ in range(3):
        for _ in range(4):
            await ask(breaker, DEAD)
            shared.wait(
                MODEL.window / 5
            )  # the failures are too rare to open the breaker by their rate
        await ask(breaker)
    assert not shared.written


async def test_a_high_failure_rate_opens_the_breaker_without_five_failures_in_a_row(
    shared: Instances,
) -> None:
    breaker = shared.instance()
    for _ in range(5):
        await ask(breaker, DEAD)  # the fifth failure is the ninth call: too few calls for a rate
        await ask(breaker)  # a successful call never opens the breaker
    assert not shared.written
    await ask(breaker, DEAD)
    assert [(each.state, each.reason) for each in shared.written] == [
        (State.OPEN, Reason.ERROR_RATE)
    ]


async def test_a_high_failure_rate_opens_the_breaker_after_a_hundred_successes(
    shared: Instances,
) -> None:
    breaker = shared.instance()
    for _ in range(100):
        await ask(breaker)
    for _ in range(10):
        assert not shared.written
        await ask(breaker)
        await ask(breaker, DEAD)
    assert shared.written


async def test_a_failure_rate_just_below_the_limit_does_not_open_the_breaker(
    shared: Instances,
) -> None:
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


async def test_slow_answers_open_the_breaker_without_a_failure(shared: Instances) -> None:
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
async def test_sequential_slow_calls_open_the_breaker(
    shared: Instances, policy: BreakerPolicy
) -> None:
    breaker = shared.instance(policy)
    for _ in range(policy.least_calls):
        await ask(breaker, takes=lambda: shared.wait(policy.slow + SECOND))
    assert [each.reason for each in shared.written] == [Reason.SLOW]


async def test_a_slow_answer_to_a_probe_opens_the_breaker_again(shared: Instances) -> None:
    breaker = shared.instance()
    await open_(shared, breaker)
    shared.wait(60 * SECOND)
    takes = MODEL.slow + SECOND
    assert await ask(breaker, takes=lambda: shared.wait(takes)) == "answered"
    assert shared.states[-1] == (State.OPEN, 0)
    assert shared.written[-1].reason is Reason.PROBE_SLOW


@pytest.mark.parametrize("outcome", [Permanent(CODE), JobGone()])
async def test_a_permanent_refusal_and_an_unknown_job_count_as_answers(
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
async def test_a_bug_or_a_cancelled_call_counts_neither_as_failure_nor_as_success(
    shared: Instances, outcome: BaseException
) -> None:
    async def ends_uncounted(breaker: CircuitBreaker) -> None:
        with pytest.raises(type(outcome)):
            async with breaker.admitted():
                raise outcome

    breaker = shared.instance()
    for _ in range(20):
        await ends_uncounted(breaker)
    assert not shared.written
    await open_(shared, breaker)
    shared.wait(60 * SECOND)
    await ends_uncounted(breaker)
    assert shared.states[-1] == (State.HALF_OPEN, 0)
    assert shared.written[-1].probe is None  # the next caller may probe at once
    assert [await ask(breaker), await ask(breaker)] == ["answered"] * 2
    assert shared.states[-1] == (State.CLOSED, 0)


async def test_calls_that_began_before_the_breaker_opened_do_not_count_afterwards(
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


# Refusals


async def test_an_open_breaker_refuses_calls_with_a_retry_after(shared: Instances) -> None:
    breaker = shared.instance()
    await open_(shared, breaker)

    async def retry_after_s() -> float | None:
        with pytest.raises(Held) as refused:
            await ask_or_raise(breaker)
        assert refused.value.code is CODE
        return refused.value.retry_after_s

    assert await retry_after_s() == 60
    shared.wait(45 * SECOND)
    assert await retry_after_s() == 15
    shared.wait(15 * SECOND)
    async with breaker.admitted():
        assert await retry_after_s() == WHILE_PROBED.total_seconds()
        shared.wait(MODEL.probe_for - 2 * SECOND)
        assert await retry_after_s() == 2


async def ask_or_raise(breaker: CircuitBreaker) -> None:
    async with breaker.admitted():
        raise AssertionError("was let through")


# Reads and writes of the store


async def test_a_closed_breaker_reads_every_five_seconds_and_writes_nothing(
    shared: Instances,
) -> None:
    breaker = shared.instance()
    for _ in range(600):
        await asyncio.gather(*(ask(breaker) for _ in range(20)))
        shared.wait(SECOND / 10)
    assert shared.reads == 60 * SECOND / BREAKER_KEPT_FOR
    assert not shared.written


async def test_after_a_failed_call_the_next_call_reads_the_store_of_the_breaker(
    shared: Instances,
) -> None:
    here, there = shared.instance(), shared.instance()
    await ask(there)
    await ask(there, DEAD)
    await open_(shared, here)
    assert await ask(there) == "refused"


# Dependencies, and log lines


async def test_jobs_are_still_submitted_while_the_model_is_down(shared: Instances) -> None:
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


async def test_every_transcriber_method_is_refused_by_an_open_breaker(shared: Instances) -> None:
    breaker = shared.instance(TRANSCRIPTION)
    transcriber = GuardedTranscriber(MemoryTranscriber(), breaker)
    await open_(shared, breaker)
    for call in (
        transcriber.submit("https://audio", visit_id="visit-1", attempt=1),
        transcriber.fetch("job"),
        transcriber.find(upload().audio),
    ):
        with pytest.raises(BreakerOpen):
            await call


async def test_each_change_of_the_breaker_state_is_logged_once_with_its_reason(
    shared: Instances,
) -> None:
    breaker = shared.instance()
    with logged() as lines:
        await open_(shared, breaker)
        shared.wait(60 * SECOND)
        await ask(breaker)
        await ask(breaker)
    assert [(line["event"], line["dependency"], line["reason"]) for line in lines()] == [
        ("breaker_opened", "model", "failures_in_a_row"),
        ("breaker_half_opened", "model", "pause_over"),
        ("breaker_closed", "model", "probes_answered"),
    ]
