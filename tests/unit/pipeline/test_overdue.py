"""Test that a visit that takes longer than expected is marked in its document."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import Held
from lumimd.domain.timing import LONG
from lumimd.domain.visit import ProcessingStatus, Stage
from lumimd.pipeline import accept, commands, recover
from lumimd.policies.permits import Cap
from tests.support.services import MemoryServices, transcribed
from tests.support.visits import run_tasks, visit_of

MINUTE = timedelta(minutes=1)


async def at_the_provider(services: MemoryServices) -> None:
    await accept.accept(services, services.upload())


async def in_the_fair_queue(services: MemoryServices) -> None:
    services.cap = Cap(1, 1)
    await accept.accept(services, services.upload("visit-0"))
    await accept.accept(services, services.upload())
    assert (await visit_of(services)).turn is not None


async def held(services: MemoryServices) -> None:
    async def down(*_: object, **__: object) -> str:
        raise Held(ErrorCode.TRANSCRIPTION_UNAVAILABLE, retry_after_s=86_400.0)

    services.transcriber.submit = down  # type: ignore[method-assign, assignment]
    await accept.accept(services, services.upload())
    wake_at = (await visit_of(services)).wake_at
    assert wake_at is not None
    assert wake_at - services.clock.now() > LONG, "no other wake-up comes before"


async def with_a_backlog_of_summaries(services: MemoryServices) -> None:
    await transcribed(services)


@pytest.mark.parametrize(
    "wait", [at_the_provider, in_the_fair_queue, held, with_a_backlog_of_summaries]
)
async def test_every_kind_of_waiting_visit_is_marked_as_delayed_once(
    wait: Callable[[MemoryServices], Awaitable[None]],
) -> None:
    services = MemoryServices()
    await wait(services)
    services.clock.advance(LONG - MINUTE)
    await recover.wake_due(services)
    before = await visit_of(services)
    assert not before.taking_longer_than_expected
    services.clock.advance(MINUTE)
    await recover.wake_due(services)
    after = await visit_of(services)
    assert after.taking_longer_than_expected
    assert after.overdue_at is None, "the delay is recorded once"
    assert after.wake_at is not None
    assert (after.processing_status, after.lease) == (before.processing_status, before.lease)


async def test_a_completed_visit_is_no_longer_marked_as_delayed() -> None:
    services = MemoryServices()
    await transcribed(services)
    services.clock.advance(LONG)
    await recover.wake_due(services)
    assert (await visit_of(services)).taking_longer_than_expected
    await run_tasks(services)
    visit = await visit_of(services)
    assert visit.processing_status is ProcessingStatus.COMPLETED
    assert (visit.taking_longer_than_expected, visit.overdue_at) == (False, None)


async def test_a_new_attempt_gets_a_new_overdue_time() -> None:
    services = MemoryServices()
    await transcribed(services)
    await run_tasks(services)
    services.clock.advance(LONG)
    await commands.regenerate(services, "visit-1")
    visit = await visit_of(services)
    assert not visit.taking_longer_than_expected
    assert visit.overdue_at == services.clock.now() + LONG


async def test_a_visit_without_a_recording_is_not_marked_as_delayed() -> None:
    services = MemoryServices()
    await commands.create(services, visit_id="visit-1", user_id="user-1", consent=True)
    services.clock.advance(LONG)
    await recover.wake_due(services)
    assert not (await visit_of(services)).taking_longer_than_expected


async def test_a_worker_completes_its_summary_although_the_delay_is_recorded_meanwhile() -> None:
    services = MemoryServices()
    await transcribed(services)
    services.refusals[Stage.SUMMARY] = Held(ErrorCode.SUMMARY_UNAVAILABLE)
    services.clock.advance(LONG)
    summarize, noted = services.summarizer.summarize, []

    async def while_it_works(transcript: object) -> object:
        await recover.wake_due(services)
        noted.append((await visit_of(services)).taking_longer_than_expected)
        return await summarize(transcript)  # type: ignore[arg-type]

    services.summarizer.summarize = while_it_works  # type: ignore[method-assign, assignment]
    await run_tasks(services)
    assert noted == [True]
    assert (await visit_of(services)).processing_status is ProcessingStatus.COMPLETED
