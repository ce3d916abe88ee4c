"""The scheduled function and each call to a provider log their measurements."""

import asyncio
from datetime import timedelta

import pytest

from lumimd.domain.codes import ErrorCode
from lumimd.domain.commit import Stored
from lumimd.domain.errors import Held, Permanent, Transient
from lumimd.domain.progress import Step
from lumimd.pipeline import accept, recover
from lumimd.ports.paging import Page
from lumimd.ports.transcriber import JobGone
from lumimd.telemetry import metrics
from tests.monitoring.lines import Lines
from tests.support.services import MemoryServices
from tests.unit.policies.test_retry import jumping_loop

MINUTE = timedelta(minutes=1)


async def submitted(services: MemoryServices, visit_id: str = "visit-1") -> None:
    await accept.accept(services, services.upload(visit_id))


async def test_a_scheduled_run_without_due_visits_logs_its_heartbeat_line(lines: Lines) -> None:
    await recover.wake_due(MemoryServices())
    line = lines.one("woke_due_visits")
    assert (line["count"], line["lateMs"], line["overdue"]) == (0, 0, 0)


async def test_a_scheduled_run_logs_how_late_the_longest_overdue_visit_is(lines: Lines) -> None:
    services = MemoryServices()
    await submitted(services, "visit-1")
    services.clock.advance(10 * MINUTE)
    await submitted(services, "visit-2")
    services.clock.advance(5 * MINUTE)
    await recover.wake_due(services)
    line = lines.one("woke_due_visits")
    assert (line["count"], line["lateMs"], line["overdue"]) == (2, 14.25 * 60_000, 0)


@pytest.mark.parametrize(("minutes", "overdue"), [(15, 0), (16, 1)])
async def test_a_visit_counts_as_overdue_more_than_fifteen_minutes_after_its_wake_up(
    lines: Lines, minutes: int, overdue: int
) -> None:
    services = MemoryServices()
    await submitted(services)
    services.clock.advance(minutes * MINUTE)
    await recover.wake_due(services)
    assert lines.one("woke_due_visits")["overdue"] == overdue


async def test_a_visit_in_the_fair_queue_does_not_count_as_overdue(lines: Lines) -> None:
    services = MemoryServices()
    await submitted(services)
    stored = await services.store.get("visit-1")
    assert stored
    tick = metrics.Tick(services.clock.now() + 60 * MINUTE)
    for step in (Step.QUEUED, Step.TRANSCRIBING):
        visit = stored.visit.model_copy(update={"current_step": step})
        tick.found(Page((Stored(visit, stored.version),)))
    tick.ended()
    line = lines.one("woke_due_visits")
    assert (line["count"], line["overdue"]) == (2, 1)


def _held_after_a_call() -> Held:
    held = Held(ErrorCode.SUMMARY_UNAVAILABLE)
    held.__cause__ = Transient(ErrorCode.SUMMARY_UNAVAILABLE)
    return held


@pytest.mark.parametrize(
    ("raised", "outcome"),
    [
        (None, "answered"),
        (Permanent(ErrorCode.SUMMARY_REFUSED), "refused"),
        (JobGone(), "refused"),
        (Transient(ErrorCode.SUMMARY_UNAVAILABLE), "failed"),
        (Held(ErrorCode.SUMMARY_UNAVAILABLE), "not_called"),
        (_held_after_a_call(), "failed"),
        (asyncio.CancelledError(), "cancelled"),
        (RuntimeError(), "cancelled"),
    ],
)
def test_a_provider_call_logs_its_duration_and_outcome_however_it_ends(
    lines: Lines, raised: BaseException | None, outcome: str
) -> None:
    async def call() -> None:
        async with metrics.provider_call("model", "summarize"):
            await asyncio.sleep(7.5)
            if raised is not None:
                raise raised

    async def ignored() -> None:
        try:
            await call()
        except BaseException as error:  # the error of the call is raised unchanged
            assert error is raised  # noqa: PT017
        else:
            assert raised is None

    with asyncio.Runner(loop_factory=jumping_loop) as runner:
        runner.run(ignored())
    line = lines.one("provider_called")
    assert (line["dependency"], line["operation"]) == ("model", "summarize")
    assert (line["outcome"], line["durationMs"]) == (outcome, 7_500)
