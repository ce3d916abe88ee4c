"""How a visit begins again where it failed, and how one is cancelled while somebody is at work."""

import pytest

from lumimd.domain.errors import ErrorCode, Permanent, RefusalCode, Refused, Transient
from lumimd.domain.visit import Status
from lumimd.pipeline import accept, collect, commands
from lumimd.ports.transcriber import Transcribed
from tests.support.parts import MemoryParts, NothingToSay, transcribed, transcript
from tests.support.visits import minutes_pass, run_tasks, visit_of


@pytest.fixture
def parts() -> MemoryParts:
    return MemoryParts()


async def test_a_replay_begins_at_the_summary_and_transcribes_nothing(parts: MemoryParts) -> None:
    await transcribed(parts)
    parts.summarizer.raises = [Permanent(ErrorCode.SUMMARY_TRUNCATED)]
    parts.fallback = NothingToSay()
    await run_tasks(parts)
    assert await parts.store.dead_letter("visit-1")
    await commands.retry(parts, "visit-1")
    assert await parts.store.dead_letter("visit-1") is None
    await run_tasks(parts)
    visit = await visit_of(parts)
    assert (visit.status, visit.attempt, visit.retry_count) == (Status.COMPLETED, 2, 1)
    assert visit.last_retry_at == parts.clock.now()
    assert len(parts.transcriber.orders) == 1


async def test_a_replay_without_a_transcript_looks_before_it_orders(parts: MemoryParts) -> None:
    working = parts.transcriber.submit

    async def lost(url: str, *, visit_id: str, attempt: int) -> str:
        if not parts.transcriber.orders:
            await working(url, visit_id=visit_id, attempt=attempt)
        raise Transient(ErrorCode.TRANSCRIPTION_UNAVAILABLE)

    async def hidden(_: object) -> None:
        return None

    found = parts.transcriber.find
    parts.transcriber.submit = lost  # type: ignore[method-assign]
    parts.transcriber.find = hidden  # type: ignore[method-assign,assignment]
    await accept.accept(parts, parts.upload())
    await minutes_pass(parts, 60)
    assert (await visit_of(parts)).status is Status.FAILED
    parts.transcriber.submit = working  # type: ignore[method-assign]
    parts.transcriber.find = found  # type: ignore[method-assign]
    await commands.retry(parts, "visit-1")
    await minutes_pass(parts, 2)
    visit = await visit_of(parts)
    assert visit.transcription
    assert visit.transcription.transcript_id == "job-0", "adopted, not ordered again"
    assert len(parts.transcriber.orders) == 1


@pytest.mark.parametrize("clicks", [2, 10])
async def test_a_second_click_on_retry_changes_nothing(parts: MemoryParts, clicks: int) -> None:
    await transcribed(parts)
    parts.summarizer.raises = [Permanent(ErrorCode.SUMMARY_REFUSED)]
    parts.fallback = NothingToSay()
    await run_tasks(parts)
    await commands.retry(parts, "visit-1")
    for _ in range(1, clicks):
        with pytest.raises(Refused) as refused:
            await commands.retry(parts, "visit-1")
        assert refused.value.code is RefusalCode.STILL_PROCESSING
    assert (await visit_of(parts)).retry_count == 1


async def test_a_cancelled_visit_costs_nothing_more(parts: MemoryParts) -> None:
    await accept.accept(parts, parts.upload())
    await commands.cancel(parts, "visit-1")
    parts.transcriber.finish("job-0", Transcribed(transcript()))
    await collect.collect(parts, "visit-1", 1, "job-0")
    await minutes_pass(parts, 10)
    visit = await visit_of(parts)
    assert (visit.status, visit.wake_at) == (Status.CANCELLED, None)
    assert parts.summarizer.calls == 0


async def test_a_cancelled_visit_is_not_completed_by_a_summary_that_was_under_way(
    parts: MemoryParts,
) -> None:
    await transcribed(parts)
    working = parts.summarizer.summarize

    async def cancelled_meanwhile(heard: object) -> object:
        await commands.cancel(parts, "visit-1")
        return await working(heard)  # type: ignore[arg-type]

    parts.summarizer.summarize = cancelled_meanwhile  # type: ignore[method-assign,assignment]
    await run_tasks(parts)
    assert (await visit_of(parts)).status is Status.CANCELLED
    assert await parts.store.actions("visit-1") == ()
