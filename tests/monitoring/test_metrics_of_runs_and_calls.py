"""Measurements of the scheduled function and of calls to the providers."""

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


async def test_a_run_without_work_is_a_heartbeat_too(lines: Lines) -> None:
    await recover.wake_due(MemoryServices())
    line = lines.one("woke_due_visits")
    assert (line["count"], line["lateMs"], line["overdue"]) == (0, 0, 0)


async def test_a_run_logs_the_lateness_of_the_longest_overdue_visit(lines: Lines) -> None:
    services = MemoryServices()
    await submitted(services, "visit-1")
    services.clock.advance(10 * MINUTE)
    await submitted(services, "visit-2")
    services.clock.advance(5 * MINUTE)
    await recover.wake_due(services)
    line = lines.one("woke_due_visits")
    assert (line["count"], line["lateMs"], line["overdue"]) == (2, 14.25 * 60_000, 0)


@pytest.mark.parametrize(("minutes", "overdue"), [(15, 0), (16, 1)])
async def test_a_visit_is_overdue_after_a_quarter_of_an_hour(
    lines: Lines, minutes: int, overdue: int
) -> None:
    services = MemoryServices()
    await submitted(services)
    services.clock.advance(minutes * MINUTE)
    await recover.wake_due(services)
    assert lines.one("woke_due_visits")["overdue"] == overdue


async def test_a_queued_visit_is_not_overdue(lines: Lines) -> None:
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
def test_a_call_is_measured_however_it_ends(
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
        except BaseException as error:  # the call's own error is passed on unchanged
            assert error is raised  # noqa: PT017
        else:
            assert raised is None

    with asyncio.Runner(loop_factory=jumping_loop) as runner:
        runner.run(ignored())
    line = lines.one("provider_called")
    assert (line["dependency"], line["operation"]) == ("model", "summarize")
    assert (line["outcome"], line["durationMs"]) == (outcome, 7_500)
