"""Test that a webhook or a poll collects the transcript of a job exactly once."""

from datetime import timedelta

import pytest

from lumimd.domain.audio import UPLOADS
from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import Transient
from lumimd.domain.transcript import Transcript
from lumimd.domain.visit import ProcessingStatus, Status
from lumimd.pipeline import accept, collect, recover
from lumimd.ports.transcriber import Failed, Job, Running, Transcribed
from tests.support.services import MemoryServices, transcript
from tests.support.visits import minutes_pass, run_tasks, visit_of, wake_after


@pytest.fixture
def services() -> MemoryServices:
    return MemoryServices()


async def test_a_saved_retry_after_survives_a_concurrent_poll_that_succeeds_later(
    services: MemoryServices,
) -> None:
    await accept.accept(services, services.upload())
    services.clock.advance(timedelta(minutes=1))
    stored, working = await services.store.get("visit-1"), services.transcriber
    assert stored
    services.transcriber = RateLimited(seconds=600)  # type: ignore[assignment]
    await collect.poll(services, stored)
    services.transcriber = working
    await collect.poll(services, stored)  # has read the same version of the visit
    assert (await visit_of(services)).wake_at == services.clock.now() + timedelta(seconds=600)


async def test_a_retry_after_is_saved_although_a_concurrent_poll_succeeded_earlier(
    services: MemoryServices,
) -> None:
    await accept.accept(services, services.upload())
    services.clock.advance(timedelta(minutes=1))
    stored, working = await services.store.get("visit-1"), services.transcriber
    assert stored
    await collect.poll(services, stored)
    services.transcriber = RateLimited(seconds=600)  # type: ignore[assignment]
    await collect.poll(services, stored)  # has read the same version of the visit
    services.transcriber = working
    assert (await visit_of(services)).wake_at == services.clock.now() + timedelta(seconds=600)


class RateLimited:
    provider = "assemblyai"
    limits = UPLOADS

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    async def fetch(self, transcript_id: str) -> Job:
        raise Transient(ErrorCode.TRANSCRIPTION_UNAVAILABLE, retry_after_s=self.seconds)


@pytest.mark.no_cover  # coverage tracing at least doubles the duration of this test
async def test_one_scheduled_run_collects_a_thousand_finished_jobs(
    services: MemoryServices,
) -> None:
    for number in range(1_000):
        await accept.accept(services, services.upload(f"visit-{number}"))
    for order in services.transcriber.orders:
        services.transcriber.finish(order.transcript_id, Transcribed(transcript()))
    services.clock.advance(timedelta(hours=2))
    assert await recover.wake_due(services) == 1_000
    assert len(services.tasks.created) == 1_000


async def test_a_job_that_runs_for_two_hours_is_still_polled(services: MemoryServices) -> None:
    await accept.accept(services, services.upload())
    for _ in range(120):
        await wake_after(services, timedelta(minutes=1))
    services.transcriber.finish("job-0", Transcribed(transcript()))
    await wake_after(services, timedelta(minutes=1))
    assert (await visit_of(services)).processing_status is ProcessingStatus.SUMMARIZING


async def test_a_webhook_for_a_running_or_unknown_job_changes_nothing(
    services: MemoryServices,
) -> None:
    await accept.accept(services, services.upload())
    before = services.store.documents()
    await collect.collect(services, "visit-1", 1, "job-0")
    await collect.collect(services, "visit-1", 1, "some-other-job")
    await collect.collect(services, "visit-1", 7, "job-0")
    await collect.collect(services, "no-such-visit", 1, "job-0")
    assert services.store.documents() == before


async def test_a_webhook_cannot_store_another_visits_transcript(services: MemoryServices) -> None:
    await accept.accept(services, services.upload("visit-1"))
    services.transcriber.finish("job-0", Transcribed(transcript()))
    pending = CrashingTranscriber()
    services.transcriber = pending  # type: ignore[assignment]
    with pytest.raises(ZeroDivisionError):
        await accept.accept(services, services.upload("visit-2"))
    assert (await visit_of(services, "visit-2")).processing_status is ProcessingStatus.PENDING
    services.transcriber = MemoryServices().transcriber
    await services.transcriber.submit(
        "https://storage.invalid/recordings/visits/user-1/visit-1/audio.wav?generation=1",
        visit_id="visit-1",
        attempt=1,
    )
    services.transcriber.finish("job-0", Transcribed(transcript()))
    await collect.collect(services, "visit-2", 1, "job-0")
    assert (await visit_of(services, "visit-2")).processing_status is ProcessingStatus.PENDING


class CrashingTranscriber:
    provider = "memory"
    limits = UPLOADS

    async def submit(self, audio_url: str, *, visit_id: str, attempt: int) -> str:
        raise ZeroDivisionError


async def test_a_webhook_may_arrive_before_the_job_id_is_saved(services: MemoryServices) -> None:
    transcriber = services.transcriber

    class Quick:
        provider = "memory"
        limits = UPLOADS

        async def submit(self, audio_url: str, *, visit_id: str, attempt: int) -> str:
            job = await transcriber.submit(audio_url, visit_id=visit_id, attempt=attempt)
            transcriber.finish(job, Transcribed(transcript()))
            await collect.collect(services, visit_id, attempt, job)
            return job

        fetch = transcriber.fetch
        find = transcriber.find
        delete = transcriber.delete

    services.transcriber = Quick()  # type: ignore[assignment]
    await accept.accept(services, services.upload())
    visit = await visit_of(services)
    assert visit.processing_status is ProcessingStatus.SUMMARIZING
    assert len(transcriber.orders) == 1


async def test_a_silent_recording_fails_as_no_speech_without_a_model_call(
    services: MemoryServices,
) -> None:
    await accept.accept(services, services.upload())
    services.transcriber.finish("job-0", Transcribed(Transcript(utterances=())))
    await collect.collect(services, "visit-1", 1, "job-0")
    await run_tasks(services)
    visit = await visit_of(services)
    assert visit.processing_error
    assert visit.processing_error.code is ErrorCode.NO_SPEECH
    assert services.summarizer.calls == 0


async def test_a_job_that_the_provider_lost_is_submitted_again_up_to_max_restarts(
    services: MemoryServices,
) -> None:
    await accept.accept(services, services.upload())
    for _ in range(40):
        for order in services.transcriber.orders:
            order.state = Failed(ErrorCode.TRANSCRIPTION_FAILED, is_transient=True)
        await wake_after(services, timedelta(minutes=2))
    visit = await visit_of(services)
    assert visit.status is Status.FAILED
    assert len(services.transcriber.orders) == 1 + collect.MAX_RESTARTS


async def test_no_new_job_is_submitted_for_a_recording_that_the_provider_refused(
    services: MemoryServices,
) -> None:
    await accept.accept(services, services.upload())
    refused = Failed(ErrorCode.AUDIO_TOO_SHORT, is_transient=False)
    services.transcriber.finish("job-0", refused)
    await wake_after(services, timedelta(minutes=1))
    visit = await visit_of(services)
    assert visit.processing_error
    assert visit.processing_error.code is ErrorCode.AUDIO_TOO_SHORT
    assert len(services.transcriber.orders) == 1


async def test_a_job_that_never_ends_fails_the_visit(services: MemoryServices) -> None:
    await accept.accept(services, services.upload())
    for _ in range(80):
        await minutes_pass(services, 60)
    visit = await visit_of(services)
    assert visit.status is Status.FAILED
    assert isinstance(services.transcriber.orders[0].state, Running)
