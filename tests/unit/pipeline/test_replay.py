"""Test that a retry resumes at the failed stage and a cancellation stops running work."""

import pytest

from lumimd.domain.codes import ErrorCode, RefusalCode
from lumimd.domain.errors import Permanent, Refused, Transient
from lumimd.domain.visit import Status
from lumimd.pipeline import accept, collect, commands
from lumimd.ports.transcriber import Transcribed
from tests.support.services import MemoryServices, NothingToSay, transcribed, transcript
from tests.support.visits import minutes_pass, run_tasks, visit_of


@pytest.fixture
def services() -> MemoryServices:
    return MemoryServices()


async def test_a_retry_of_a_failed_summary_submits_no_transcription_job(
    services: MemoryServices,
) -> None:
    await transcribed(services)
    services.summarizer.raises = [Permanent(ErrorCode.SUMMARY_TRUNCATED)]
    services.fallback = NothingToSay()
    await run_tasks(services)
    assert await services.store.dead_letter("visit-1")
    await commands.retry(services, "visit-1")
    assert await services.store.dead_letter("visit-1") is None
    await run_tasks(services)
    visit = await visit_of(services)
    assert (visit.status, visit.attempt, visit.retry_count) == (Status.COMPLETED, 2, 1)
    assert visit.last_retry_at == services.clock.now()
    assert len(services.transcriber.orders) == 1


async def test_a_retry_without_a_transcript_uses_the_job_that_it_finds(
    services: MemoryServices,
) -> None:
    working = services.transcriber.submit

    async def lost(url: str, *, visit_id: str, attempt: int) -> str:
        if not services.transcriber.orders:
            await working(url, visit_id=visit_id, attempt=attempt)
        raise Transient(ErrorCode.TRANSCRIPTION_UNAVAILABLE)

    async def hidden(_: object) -> None:
        return None

    found = services.transcriber.find
    services.transcriber.submit = lost  # type: ignore[method-assign]
    services.transcriber.find = hidden  # type: ignore[method-assign,assignment]
    await accept.accept(services, services.upload())
    await minutes_pass(services, 60)
    assert (await visit_of(services)).status is Status.FAILED
    services.transcriber.submit = working  # type: ignore[method-assign]
    services.transcriber.find = found  # type: ignore[method-assign]
    await commands.retry(services, "visit-1")
    await minutes_pass(services, 2)
    visit = await visit_of(services)
    assert visit.transcription
    assert visit.transcription.transcript_id == "job-0", "adopted, not ordered again"
    assert len(services.transcriber.orders) == 1


@pytest.mark.parametrize("clicks", [2, 10])
async def test_a_second_retry_while_the_visit_is_processed_is_refused(
    services: MemoryServices, clicks: int
) -> None:
    await transcribed(services)
    services.summarizer.raises = [Permanent(ErrorCode.SUMMARY_REFUSED)]
    services.fallback = NothingToSay()
    await run_tasks(services)
    await commands.retry(services, "visit-1")
    for _ in range(1, clicks):
        with pytest.raises(Refused) as refused:
            await commands.retry(services, "visit-1")
        assert refused.value.code is RefusalCode.STILL_PROCESSING
    assert (await visit_of(services)).retry_count == 1


async def test_a_cancelled_visit_makes_no_further_paid_call(services: MemoryServices) -> None:
    await accept.accept(services, services.upload())
    await commands.cancel(services, "visit-1")
    services.transcriber.finish("job-0", Transcribed(transcript()))
    await collect.collect(services, "visit-1", 1, "job-0")
    await minutes_pass(services, 10)
    visit = await visit_of(services)
    assert (visit.status, visit.wake_at) == (Status.CANCELLED, None)
    assert services.summarizer.calls == 0


async def test_a_summary_that_ends_after_a_cancellation_is_not_stored(
    services: MemoryServices,
) -> None:
    await transcribed(services)
    working = services.summarizer.summarize

    async def cancelled_meanwhile(heard: object) -> object:
        await commands.cancel(services, "visit-1")
        return await working(heard)  # type: ignore[arg-type]

    services.summarizer.summarize = cancelled_meanwhile  # type: ignore[method-assign,assignment]
    await run_tasks(services)
    assert (await visit_of(services)).status is Status.CANCELLED
    assert await services.store.actions("visit-1") == ()
