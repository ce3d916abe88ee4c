"""Test that a lost summary task is replaced soon and a waiting task is rarely duplicated."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumimd.domain.timing import LONGEST_GRACE, REQUEST_GRACE, request_grace
from lumimd.domain.visit import Status
from lumimd.pipeline import commands, recover
from tests.support.services import MemoryServices, transcribed
from tests.support.visits import MINUTE, run_tasks, visit_of, wake_after


@pytest.fixture
def services() -> MemoryServices:
    return MemoryServices()


async def ticks(services: MemoryServices, minutes: int) -> None:
    for _ in range(minutes):
        await wake_after(services, MINUTE)


@pytest.mark.parametrize(("minutes", "most"), [(5, 2), (30, 5), (60, 5), (24 * 60, 28)])
async def test_a_visit_in_a_backlog_of_hours_gets_only_a_few_summary_tasks(
    services: MemoryServices, minutes: int, most: int
) -> None:
    for number in range(10):
        await transcribed(services, f"v{number}")
    await ticks(services, minutes)
    assert len(services.tasks.created) <= most * 10
    await run_tasks(services)
    for number in range(10):
        assert (await visit_of(services, f"v{number}")).status is Status.COMPLETED
    assert services.summarizer.calls == 10, "each summary is made once"


async def test_a_lost_summary_task_is_replaced_within_two_minutes(services: MemoryServices) -> None:
    await transcribed(services)
    services.tasks.waiting.get_nowait()  # the task is lost
    await ticks(services, 2)
    assert len(services.tasks.created) == 2
    await run_tasks(services)
    assert (await visit_of(services)).status is Status.COMPLETED


async def test_a_worker_resets_the_count_of_unanswered_requests(services: MemoryServices) -> None:
    """After the reset, a lost task of a regeneration is replaced without extra delay."""
    await transcribed(services)
    await ticks(services, 20)
    assert (await visit_of(services)).unanswered_requests > 2
    await run_tasks(services)
    assert (await visit_of(services)).unanswered_requests == 0
    services.clock.advance(timedelta(hours=1))
    await commands.regenerate(services, "visit-1")
    services.tasks.waiting.get_nowait()  # the task is lost
    before = len(services.tasks.created)
    services.clock.advance(REQUEST_GRACE)
    await recover.wake_due(services)
    assert len(services.tasks.created) == before + 1


@given(st.integers(0, 10_000))
def test_the_wait_before_a_task_is_replaced_grows_and_is_bounded(unanswered: int) -> None:
    assert REQUEST_GRACE <= request_grace(unanswered) <= LONGEST_GRACE
    assert request_grace(unanswered) <= request_grace(unanswered + 1)
