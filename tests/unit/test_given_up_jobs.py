"""A job that was given up is not ordered in vain: it is charged once, and never adopted again."""

from datetime import timedelta

import pytest

from lumimd.domain.errors import ErrorCode
from lumimd.domain.visit import ProcessingStatus, Visit
from lumimd.pipeline import accept, commands, recover
from lumimd.ports.transcriber import Transcribed
from tests.support.parts import MemoryParts, another, tone, transcript
from tests.support.visits import run_tasks, visit_of


@pytest.fixture
def parts() -> MemoryParts:
    return MemoryParts()


async def hours_pass(parts: MemoryParts, hours: float) -> Visit:
    for _ in range(round(hours * 2)):
        parts.clock.advance(timedelta(minutes=30))
        await recover.wake_due(parts)
        await run_tasks(parts)
    return await visit_of(parts)


async def test_another_attempt_orders_anew_after_the_last_job_hung(parts: MemoryParts) -> None:
    await accept.accept(parts, parts.upload())
    failed = await hours_pass(parts, 12)
    assert failed.processing_status is ProcessingStatus.FAILED
    jobs = [order.transcript_id for order in parts.transcriber.orders]
    assert list(failed.given_up_jobs) == jobs, "the last one as well"
    await commands.retry(parts, "visit-1")
    visit = await hours_pass(parts, 0.5)
    assert visit.transcription
    assert visit.transcription.transcript_id not in jobs


async def test_a_job_that_ends_after_all_is_charged_once(parts: MemoryParts) -> None:
    await accept.accept(parts, parts.upload())
    await hours_pass(parts, 12)
    (*_, last) = [order.transcript_id for order in parts.transcriber.orders]
    parts.transcriber.finish(last, Transcribed(transcript()))
    await commands.retry(parts, "visit-1")
    visit = await hours_pass(parts, 1)
    assert visit.processing_status is ProcessingStatus.COMPLETED
    assert visit.ledger.orders == len(parts.transcriber.orders) == 3


@pytest.mark.parametrize("waits", [True, False], ids=["another file waits", "none waits"])
async def test_the_hung_job_of_a_second_file_is_remembered(parts: MemoryParts, waits: bool) -> None:
    await accept.accept(parts, parts.upload())
    parts.transcriber.finish("job-0", Transcribed(transcript()))
    await hours_pass(parts, 1)
    for number in (2, 3) if waits else (2,):
        uploaded = another(number)
        parts.audio.put(uploaded.audio, tone(seconds=2))
        await accept.accept(parts, uploaded)
    visit = await hours_pass(parts, 9)
    hung = [
        order.transcript_id
        for order in parts.transcriber.orders
        if "job-0" not in order.transcript_id
    ]
    assert set(visit.given_up_jobs) >= set(hung[:3])
    refused = [each.code for each in visit.refused_takes]
    assert refused == ([ErrorCode.TRANSCRIPTION_FAILED] if waits else [])
