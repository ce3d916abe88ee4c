"""Visits wait while an account or configuration fault lasts, and none of them fails.

The tests use the real adapter, the real breakers, a scripted provider and a manual clock.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from lumimd.coordination.breaker.breaker import CircuitBreaker, first_refusal
from lumimd.coordination.breaker.guarded import GuardedSummarizer, GuardedTranscriber
from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import DeploymentFault, Held, ProviderRefuses, Transient
from lumimd.domain.visit import Stage, Status, Visit
from lumimd.pipeline import accept, collect, recover
from lumimd.policies import breaker, retry
from lumimd.policies.breaker import Breaker
from lumimd.stores.shared_documents import SharedDocuments
from tests.support.assemblyai_provider import DONE, RUNNING, Provider, refusing
from tests.support.services import CountingSummarizer, MemoryServices, transcribed
from tests.support.shared_documents import in_memory
from tests.support.visits import run_tasks, visit_of

BALANCE = "Your current account balance is negative. Please top up to continue using the API."
FAULTS = {
    "wrong key": refusing(401, "Authentication error, API token missing/invalid"),
    "unpaid": refusing(402),
    "forbidden": refusing(403, "Forbidden"),
    "negative balance": refusing(400, BALANCE),
    "plan": refusing(400, "Please upgrade your plan"),
    "wrong address": refusing(404),
    "unknown": refusing(418),
}
PASSING = {str(status): refusing(status) for status in (408, 409, 425, 429, 500, 503)}
LONG = timedelta(days=10)
"""A duration that is longer than the time a visit may idle."""


@dataclass
class Guarded(MemoryServices):
    """In-memory services whose provider calls pass through the real breakers."""

    breaker_store: SharedDocuments[Breaker] = field(default_factory=lambda: in_memory(Breaker))

    def __post_init__(self) -> None:
        super().__post_init__()
        orders, everything, model = (
            CircuitBreaker(policy, self.breaker_store, self.clock, self.new_id)
            for policy in (breaker.ORDERS, breaker.TRANSCRIPTION, breaker.MODEL)
        )
        self.transcriber = GuardedTranscriber(  # type: ignore[assignment]
            self.transcriber, everything, orders
        )
        self.summarizer = GuardedSummarizer(self.summarizer, model)  # type: ignore[assignment]
        self._breakers = {
            Stage.SUBMISSION: (orders, everything),
            Stage.TRANSCRIPTION: (everything,),
            Stage.SUMMARY: (model,),
        }

    async def refusal(self, stage: Stage, unanswered_since: datetime | None = None) -> Held | None:
        return await first_refusal(self._breakers[stage], unanswered_since)


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    quick = {"initial_s": 0.001, "max_wait_s": 0.01, "jitter_s": 0.001}
    monkeypatch.setattr(retry, "TRANSCRIPTION", replace(retry.TRANSCRIPTION, **quick))
    return


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
def services(provider: Provider) -> Guarded:
    return Guarded(transcriber=provider.transcriber())  # type: ignore[arg-type]


async def passes(services: MemoryServices, time: timedelta, tick: timedelta) -> None:
    end = services.clock.now() + time
    while services.clock.now() < end:
        services.clock.advance(tick)
        await recover.wake_due(services)
        await run_tasks(services)


async def visits_of(services: MemoryServices, count: int) -> list[Visit]:
    return [await visit_of(services, f"v{number}") for number in range(count)]


COUNT = 4


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("calls", [("order",), ("order", "job", "list")])
async def test_orders_wait_until_the_account_or_configuration_fault_ends(
    services: Guarded, provider: Provider, fault: str, calls: tuple[str, ...]
) -> None:
    provider.trouble = dict.fromkeys(calls, FAULTS[fault])
    for number in range(COUNT):
        await accept.accept(services, services.upload(f"v{number}"))
    await passes(services, LONG, timedelta(hours=1))
    assert {visit.status for visit in await visits_of(services, COUNT)} == {Status.PROCESSING}
    assert provider.asked["order"] <= COUNT + 24 * LONG.days, "one probe at a time"
    provider.trouble.clear()
    await passes(services, timedelta(hours=2), timedelta(minutes=1))
    assert {visit.status for visit in await visits_of(services, COUNT)} == {Status.COMPLETED}
    assert len(provider.jobs) == COUNT, "each is ordered once"


@pytest.mark.parametrize("fault", FAULTS)
async def test_visits_with_running_jobs_wait_until_the_fault_ends(
    services: Guarded, provider: Provider, fault: str
) -> None:
    provider.state = dict(RUNNING)
    for number in range(COUNT):
        await accept.accept(services, services.upload(f"v{number}"))
    provider.trouble = dict.fromkeys(("order", "job", "list"), FAULTS[fault])
    await passes(services, LONG, timedelta(hours=1))
    visits = await visits_of(services, COUNT)
    assert {(visit.status, visit.current_step, visit.restarts) for visit in visits} == {
        (Status.PROCESSING, "transcribing", 0)
    }
    for job in provider.jobs.values():
        job.update(DONE)
    provider.trouble.clear()
    await passes(services, timedelta(hours=2), timedelta(minutes=1))
    assert {visit.status for visit in await visits_of(services, COUNT)} == {Status.COMPLETED}
    assert len(provider.jobs) == COUNT


@pytest.mark.parametrize("passing", PASSING)
@pytest.mark.parametrize("call", ["order", "job"])
async def test_a_passing_error_of_some_minutes_fails_no_visit(
    services: Guarded, provider: Provider, passing: str, call: str
) -> None:
    provider.trouble = {call: PASSING[passing]}
    await accept.accept(services, services.upload("v0"))
    await passes(services, timedelta(seconds=30), timedelta(seconds=30))
    provider.trouble.clear()
    await passes(services, timedelta(minutes=30), timedelta(minutes=1))
    assert (await visit_of(services, "v0")).status is Status.COMPLETED


@pytest.mark.parametrize("fault", FAULTS)
async def test_visits_wait_for_the_end_of_a_fault_without_a_breaker_too(
    provider: Provider, fault: str
) -> None:
    services = MemoryServices(transcriber=provider.transcriber())  # type: ignore[arg-type]
    provider.trouble = {"order": FAULTS[fault]}
    await accept.accept(services, services.upload("v0"))
    await passes(services, timedelta(days=9), timedelta(hours=1))
    provider.trouble.clear()
    await passes(services, timedelta(hours=3), timedelta(minutes=1))
    assert (await visit_of(services, "v0")).status is Status.COMPLETED


async def test_a_webhook_during_a_fault_raises_transient_and_the_visit_completes_later(
    services: Guarded, provider: Provider
) -> None:
    await accept.accept(services, services.upload("v0"))
    provider.trouble = {"job": FAULTS["wrong key"]}
    with pytest.raises(Transient):
        await collect.collect_in_time(services, "v0", 1, "job-0")
    assert (await visit_of(services, "v0")).processing_status == "transcribing"
    provider.trouble.clear()
    await passes(services, timedelta(minutes=10), timedelta(minutes=1))
    assert (await visit_of(services, "v0")).status is Status.COMPLETED


async def test_a_visit_that_is_refused_while_other_visits_succeed_ends_within_two_days(
    services: Guarded, provider: Provider
) -> None:
    """Every three hours a new visit succeeds, and then the visit `bad` is refused again."""
    provider.trouble = {"order": FAULTS["unknown"]}
    await accept.accept(services, services.upload("bad"))
    served = 0
    while (visit := await visit_of(services, "bad")).status is Status.PROCESSING:
        provider.trouble.clear()
        recording = services.upload(f"v{served}")
        now = services.clock.now()
        await accept.accept(services, recording.model_copy(update={"announced_at": now}))
        served += 1
        provider.trouble = {"order": FAULTS["unknown"]}
        await passes(services, timedelta(hours=3), timedelta(minutes=10))
        assert served < 16
    assert visit.processing_error is not None
    assert visit.processing_error.code is ErrorCode.TRANSCRIPTION_FAILED
    assert visit.processing_error.retryable
    provider.trouble.clear()
    await passes(services, timedelta(minutes=10), timedelta(minutes=1))
    assert {each.status for each in await visits_of(services, served)} == {Status.COMPLETED}


# Summaries


class Refused(CountingSummarizer):
    """A stub summarizer whose provider refuses every call until a test clears the fault."""

    def __init__(self, fault: DeploymentFault) -> None:
        super().__init__()
        self.fault: DeploymentFault | None = fault

    async def summarize(self, transcript: Any) -> Any:
        if self.fault is not None:
            raise ProviderRefuses(ErrorCode.SUMMARY_UNAVAILABLE, self.fault)
        return await super().summarize(transcript)


@pytest.mark.parametrize("fault", DeploymentFault)
@pytest.mark.parametrize("guarded", [True, False])
async def test_a_rule_based_summary_is_shown_until_the_model_recovers(
    fault: DeploymentFault, guarded: bool
) -> None:
    model = Refused(fault)
    services = (Guarded if guarded else MemoryServices)(summarizer=model)
    plain = MemoryServices().transcriber
    services.transcriber = plain
    await transcribed(services)
    await run_tasks(services)
    await passes(services, timedelta(minutes=30), timedelta(minutes=1))
    visit = await visit_of(services)
    assert (visit.source, visit.provisional, visit.status) == ("rules", True, Status.PROCESSING)
    await passes(services, LONG, timedelta(hours=1))
    visit = await visit_of(services)
    assert (visit.source, visit.status, visit.stage_tries) == ("rules", Status.PROCESSING, 0)
    assert model.calls == 0
    model.fault = None
    await passes(services, timedelta(hours=2), timedelta(minutes=1))
    visit = await visit_of(services)
    assert (visit.source, visit.provisional, visit.status) == ("model", False, Status.COMPLETED)
    assert model.calls == 1


async def test_time_spent_in_a_fault_does_not_shorten_the_wait_in_a_later_outage() -> None:
    """A key is wrong for thirty days; in a later outage the visit still waits a full day."""
    model = Refused(DeploymentFault.KEY_REFUSED)
    services = MemoryServices(summarizer=model)
    await transcribed(services)
    await run_tasks(services)
    await passes(services, timedelta(days=30), timedelta(hours=2))
    model.fault = None
    model.raises = [Held(ErrorCode.SUMMARY_UNAVAILABLE)] * 10_000
    await passes(services, timedelta(hours=20), timedelta(minutes=10))
    assert (await visit_of(services)).status is Status.PROCESSING
    await passes(services, timedelta(hours=16), timedelta(minutes=10))
    visit = await visit_of(services)
    assert (visit.source, visit.provisional, visit.status) == ("rules", False, Status.COMPLETED)
