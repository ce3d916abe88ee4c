"""A visit that takes longer than expected says so in its document, where listeners see it."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from lumimd.domain.errors import ErrorCode, Held
from lumimd.domain.timing import LONG
from lumimd.domain.visit import ProcessingStatus, Stage
from lumimd.pipeline import accept, commands, recover
from lumimd.policies.permits import Cap
from tests.support.parts import MemoryParts, transcribed
from tests.support.visits import run_tasks, visit_of

MINUTE = timedelta(minutes=1)


async def at_the_provider(parts: MemoryParts) -> None:
    await accept.accept(parts, parts.upload())


async def in_line(parts: MemoryParts) -> None:
    parts.cap = Cap(1, 1)
    await accept.accept(parts, parts.upload("visit-0"))
    await accept.accept(parts, parts.upload())
    assert (await visit_of(parts)).turn is not None


async def held(parts: MemoryParts) -> None:
    async def down(*_: object, **__: object) -> str:
        raise Held(ErrorCode.TRANSCRIPTION_UNAVAILABLE, retry_after_s=86_400.0)

    parts.transcriber.submit = down  # type: ignore[method-assign, assignment]
    await accept.accept(parts, parts.upload())
    wake_at = (await visit_of(parts)).wake_at
    assert wake_at is not None
    assert wake_at - parts.clock.now() > LONG, "nothing else happens to it meanwhile"


async def with_a_backlog_of_summaries(parts: MemoryParts) -> None:
    await transcribed(parts)


@pytest.mark.parametrize("wait", [at_the_provider, in_line, held, with_a_backlog_of_summaries])
async def test_a_delay_is_written_into_the_visit_whatever_it_waits_for(
    wait: Callable[[MemoryParts], Awaitable[None]],
) -> None:
    parts = MemoryParts()
    await wait(parts)
    parts.clock.advance(LONG - MINUTE)
    await recover.wake_due(parts)
    before = await visit_of(parts)
    assert not before.taking_longer_than_expected
    parts.clock.advance(MINUTE)
    await recover.wake_due(parts)
    after = await visit_of(parts)
    assert after.taking_longer_than_expected
    assert after.overdue_at is None, "it is noted once"
    assert after.wake_at is not None
    assert (after.processing_status, after.claim) == (before.processing_status, before.claim)


async def test_the_end_of_a_visit_ends_its_delay() -> None:
    parts = MemoryParts()
    await transcribed(parts)
    parts.clock.advance(LONG)
    await recover.wake_due(parts)
    assert (await visit_of(parts)).taking_longer_than_expected
    await run_tasks(parts)
    visit = await visit_of(parts)
    assert visit.processing_status is ProcessingStatus.COMPLETED
    assert (visit.taking_longer_than_expected, visit.overdue_at) == (False, None)


async def test_another_attempt_has_a_time_of_its_own() -> None:
    parts = MemoryParts()
    await transcribed(parts)
    await run_tasks(parts)
    parts.clock.advance(LONG)
    await commands.regenerate(parts, "visit-1")
    visit = await visit_of(parts)
    assert not visit.taking_longer_than_expected
    assert visit.overdue_at == parts.clock.now() + LONG


async def test_a_visit_that_waits_for_its_recording_is_not_late() -> None:
    parts = MemoryParts()
    await commands.create(parts, visit_id="visit-1", user_id="user-1", consent=True)
    parts.clock.advance(LONG)
    await recover.wake_due(parts)
    assert not (await visit_of(parts)).taking_longer_than_expected


async def test_a_worker_that_holds_the_visit_goes_on_when_the_delay_is_noted() -> None:
    parts = MemoryParts()
    await transcribed(parts)
    parts.refusals[Stage.SUMMARY] = Held(ErrorCode.SUMMARY_UNAVAILABLE)
    parts.clock.advance(LONG)
    summarize, noted = parts.summarizer.summarize, []

    async def while_it_works(transcript: object) -> object:
        await recover.wake_due(parts)
        noted.append((await visit_of(parts)).taking_longer_than_expected)
        return await summarize(transcript)  # type: ignore[arg-type]

    parts.summarizer.summarize = while_it_works  # type: ignore[method-assign, assignment]
    await run_tasks(parts)
    assert noted == [True]
    assert (await visit_of(parts)).processing_status is ProcessingStatus.COMPLETED
