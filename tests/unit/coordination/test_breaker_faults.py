"""Test that an account or configuration fault opens the breaker, which stores the reason."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumimd.adapters.memory import ManualClock, MemoryTranscriber
from lumimd.coordination.breaker.breaker import BreakerOpen, CircuitBreaker
from lumimd.coordination.breaker.guarded import GuardedTranscriber
from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import (
    DeploymentFault,
    Held,
    ProviderRefuses,
    RefusedAlone,
    Transient,
    Unreadable,
)
from lumimd.policies.breaker import MODEL, ORDERS, TRANSCRIPTION, Breaker, State
from lumimd.policies.breaker_suspects import REMEMBERED, SEVERAL, mark, refused, served
from tests.support.breakers import DEAD, SECOND, Instances, ask, logged, open_
from tests.support.services import START

CODE = ErrorCode.TRANSCRIPTION_UNAVAILABLE
AT_ONCE = [fault for fault in DeploymentFault if fault is not DeploymentFault.REQUEST_REFUSED]
UNKNOWN = ProviderRefuses(CODE, DeploymentFault.REQUEST_REFUSED)


@pytest.fixture
def shared() -> Instances:
    return Instances(ManualClock(START))


def refuses(fault: DeploymentFault = DeploymentFault.KEY_REFUSED) -> ProviderRefuses:
    return ProviderRefuses(CODE, fault)


async def error_of(
    breaker: CircuitBreaker, error: Exception | None, subject: str = ""
) -> Exception:
    """Make a call that ends with `error`; returns the error that the caller sees."""

    async def made() -> None:
        if error is not None:
            raise error

    with pytest.raises(Transient) as raised:
        await breaker.call(made, subject)
    return raised.value


async def serve(breaker: CircuitBreaker, subject: str) -> None:
    async def made() -> None:
        return None

    await breaker.call(made, subject)


@pytest.mark.parametrize("fault", AT_ONCE)
async def test_one_account_fault_opens_the_breaker_of_all_instances_with_its_reason(
    shared: Instances, fault: DeploymentFault
) -> None:
    here, there = shared.instance(), shared.instance()
    with logged() as lines:
        await error_of(here, refuses(fault))
    assert [(line["event"], line["severity"], line["reason"]) for line in lines()] == [
        ("breaker_opened", "ERROR", fault.value)
    ]
    for breaker in (here, there):
        error = await error_of(breaker, None)
        assert isinstance(error, ProviderRefuses)
        assert error.reason is fault
        assert await breaker.refusal() is not None


async def test_the_stored_fault_is_cleared_after_two_answered_probes(shared: Instances) -> None:
    breaker = shared.instance()
    await error_of(breaker, refuses())
    for trouble in (refuses(), DEAD, refuses(DeploymentFault.UNPAID)):
        shared.wait(60 * SECOND)
        error = await error_of(breaker, trouble)
        assert isinstance(error, ProviderRefuses), "another failure does not clear the fault"
    assert shared.written[-1].fault is DeploymentFault.UNPAID
    shared.wait(60 * SECOND)
    assert await ask(breaker) == "answered"
    assert shared.written[-1].fault is DeploymentFault.UNPAID
    assert await ask(breaker) == "answered"
    closed = shared.written[-1]
    assert (closed.state, closed.fault) == (State.CLOSED, None)


async def test_during_an_account_fault_one_of_ten_instances_probes(shared: Instances) -> None:
    instances = [shared.instance() for _ in range(10)]
    await error_of(instances[0], refuses())
    shared.wait(60 * SECOND)
    calls = 0

    def counted() -> None:
        nonlocal calls
        calls += 1

    for instance in instances:
        await ask(instance, refuses(), takes=counted)
    assert calls == 1


async def test_an_unreadable_response_counts_neither_as_failure_nor_as_success(
    shared: Instances,
) -> None:
    breaker = shared.instance()
    for _ in range(30):
        assert await ask(breaker, Unreadable(CODE)) == "Unreadable"
    await open_(shared, breaker)
    shared.wait(60 * SECOND)
    assert await ask(breaker, Unreadable(CODE)) == "Unreadable"
    assert await ask(breaker) == "answered", "the next probe may be elected at once"


# Submitted jobs (orders)


async def test_polls_continue_while_new_jobs_are_refused(shared: Instances) -> None:
    provider = MemoryTranscriber()
    job = await provider.submit("https://audio", visit_id="v1", attempt=1)

    async def unpaid(*args: object, **more: object) -> str:
        raise refuses(DeploymentFault.UNPAID)

    provider.submit = unpaid  # type: ignore[method-assign]
    breaker, orders = shared.instance(TRANSCRIPTION), shared.instance(ORDERS)
    guarded = GuardedTranscriber(provider, breaker, orders)
    for minute in range(30):
        with pytest.raises(ProviderRefuses):
            await guarded.submit("https://audio", visit_id=f"v{minute}", attempt=1)
        assert (await guarded.fetch(job)).transcript_id == job
        shared.wait(60 * SECOND)
    assert {each.name for each in shared.written} == {"orders"}


async def test_transient_failures_of_submitting_open_the_transcription_breaker(
    shared: Instances,
) -> None:
    provider = MemoryTranscriber()

    async def dead(*args: object, **more: object) -> str:
        raise Transient(CODE)

    provider.submit = dead  # type: ignore[method-assign]
    guarded = GuardedTranscriber(provider, shared.instance(TRANSCRIPTION), shared.instance(ORDERS))
    for number in range(6):
        with pytest.raises(Transient):
            await guarded.submit("https://audio", visit_id=f"v{number}", attempt=1)
    assert {(each.name, each.fault) for each in shared.written} == {("transcription", None)}
    with pytest.raises(BreakerOpen):
        await guarded.fetch("job")


# Error responses with an unknown reason


async def test_several_different_refused_requests_open_the_breaker(shared: Instances) -> None:
    for number in range(SEVERAL):
        error = await error_of(shared.instance(), UNKNOWN, f"v{number}")
        assert isinstance(error, ProviderRefuses), (
            "no request was served: the deployment may be refused"
        )
        assert (shared.written[-1].state is State.OPEN) is (number == SEVERAL - 1)
    assert shared.written[-1].fault is DeploymentFault.REQUEST_REFUSED


async def test_the_breaker_stays_closed_when_only_one_request_is_refused(shared: Instances) -> None:
    breaker = shared.instance()
    for _ in range(50):
        assert isinstance(await error_of(breaker, UNKNOWN, "v1"), ProviderRefuses)
    assert all(each.is_closed for each in shared.written)


async def test_a_refused_request_raises_refused_alone_after_another_request_succeeded(
    shared: Instances,
) -> None:
    breaker = shared.instance()
    await error_of(breaker, UNKNOWN, "bad")
    await serve(shared.instance(), "good")
    shared.wait(6 * SECOND)
    assert isinstance(await error_of(breaker, UNKNOWN, "bad"), RefusedAlone)
    assert isinstance(await error_of(breaker, UNKNOWN, "new"), ProviderRefuses)
    assert not isinstance(RefusedAlone(CODE), ProviderRefuses)
    assert issubclass(RefusedAlone, Held)


async def test_requests_that_were_refused_alone_never_open_the_breaker(shared: Instances) -> None:
    breaker = shared.instance()
    for number in range(SEVERAL - 1):
        await error_of(breaker, UNKNOWN, f"bad{number}")
    await serve(breaker, "good")
    await error_of(breaker, UNKNOWN, "bad9")
    await serve(breaker, "good")
    for _ in range(5):
        for number in (0, 1, 9):
            assert isinstance(await error_of(breaker, UNKNOWN, f"bad{number}"), RefusedAlone)
    assert all(each.is_closed for each in shared.written)


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.booleans()), max_size=80))
def test_the_breaker_opens_only_after_several_new_refusals_without_a_success(
    calls: list[tuple[str, bool]],
) -> None:
    breaker, suspects, cleared = Breaker(name="orders"), set[str](), set[str]()
    for subject, is_served in calls:
        if is_served:
            breaker = served(breaker, mark(subject))
            cleared |= suspects - {subject}
            suspects = set()
        else:
            breaker = refused(breaker, mark(subject), START)
            suspects |= {subject} - cleared
        assert breaker.is_closed is (len(suspects) < SEVERAL)
        if not breaker.is_closed:
            return
        assert set(breaker.suspects) == {mark(each) for each in suspects}


def test_stored_marks_of_refused_requests_are_bounded_and_contain_no_ids() -> None:
    breaker = Breaker(name="orders")
    for number in range(3 * REMEMBERED):
        breaker = served(refused(breaker, mark(f"visit-{number}"), START), mark("good"))
    assert len(breaker.cleared) == REMEMBERED
    assert "visit" not in str(breaker.to_stored())
    assert refused(breaker, mark("x"), START + timedelta(days=1)).is_closed


def test_a_breaker_document_of_the_previous_release_can_be_read() -> None:
    stored = Breaker(name=MODEL.name).to_stored()
    for field in ("fault", "suspects", "cleared"):
        del stored[field]
    assert Breaker.from_stored(stored) == Breaker(name=MODEL.name)
