"""Test that a given-up job is charged once and never used by a later attempt."""

from datetime import timedelta

import pytest

from lumimd.domain.codes import ErrorCode
from lumimd.domain.visit import ProcessingStatus, Visit
from lumimd.pipeline import accept, commands, recover
from lumimd.ports.transcriber import Transcribed
from tests.support.services import MemoryServices, another, tone, transcript
from tests.support.visits import run_tasks, visit_of


@pytest.fixture
def services() -> MemoryServices:
    return MemoryServices()


async def hours_pass(services: MemoryServices, hours: float) -> Visit:
    for _ in range(round(hours * 2)):
        services.clock.advance(timedelta(minutes=30))
        await recover.wake_due(services)
        await run_tasks(services)
    return await visit_of(services)


async def test_a_retry_after_a_job_that_never_ended_submits_a_new_job(
    services: MemoryServices,
) -> None:
    await accept.accept(services, services.upload())
    failed = await hours_pass(services, 12)
    assert failed.processing_status is ProcessingStatus.FAILED
    jobs = [order.transcript_id for order in services.transcriber.orders]
    assert list(failed.given_up_jobs) == jobs, "including the last one"
    await commands.retry(services, "visit-1")
    visit = await hours_pass(services, 0.5)
    assert visit.transcription
    assert visit.transcription.transcript_id not in jobs


async def test_a_given_up_job_that_ends_later_is_charged_once(services: MemoryServices) -> None:
    await accept.accept(services, services.upload())
    await hours_pass(services, 12)
    (*_, last) = [order.transcript_id for order in services.transcriber.orders]
    services.transcriber.finish(last, Transcribed(transcript()))
    await commands.retry(services, "visit-1")
    visit = await hours_pass(services, 1)
    assert visit.processing_status is ProcessingStatus.COMPLETED
    assert visit.ledger.orders == len(services.transcriber.orders) == 3


@pytest.mark.parametrize("waits", [True, False], ids=["another file waits", "none waits"])
async def test_a_job_of_a_second_file_that_never_ends_is_recorded_as_given_up(
    services: MemoryServices, waits: bool
) -> None:
    await accept.accept(services, services.upload())
    services.transcriber.finish("job-0", Transcribed(transcript()))
    await hours_pass(services, 1)
    for number in (2, 3) if waits else (2,):
        uploaded = another(number)
        services.audio.put(uploaded.audio, tone(seconds=2))
        await accept.accept(services, uploaded)
    visit = await hours_pass(services, 9)
    hung = [
        order.transcript_id
        for order in services.transcriber.orders
        if "job-0" not in order.transcript_id
    ]
    assert set(visit.given_up_jobs) >= set(hung[:3])
    refused = [each.code for each in visit.refused_takes]
    assert refused == ([ErrorCode.TRANSCRIPTION_FAILED] if waits else [])
