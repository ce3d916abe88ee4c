"""Test a visit in each stage of the pipeline, in memory and in virtual time."""

import asyncio
from datetime import timedelta

import pytest

from lumimd.domain.audio import UPLOADS
from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import Transient
from lumimd.domain.timing import MAX_TRIES
from lumimd.domain.visit import ProcessingStatus, Status
from lumimd.pipeline import accept, collect, recover, summarize
from lumimd.ports.transcriber import Transcribed
from tests.support.services import MemoryServices, transcribed, transcript, upload
from tests.support.visits import run_tasks, visit_of, wake_after


@pytest.fixture
def services() -> MemoryServices:
    return MemoryServices()


async def test_a_recording_becomes_a_summary_with_action_items(services: MemoryServices) -> None:
    await accept.accept(services, services.upload())
    (order,) = services.transcriber.orders
    services.transcriber.finish(order.transcript_id, Transcribed(transcript()))
    await collect.collect(services, "visit-1", 1, order.transcript_id)
    await run_tasks(services)

    visit = await visit_of(services)
    assert (visit.status, visit.progress_percent) == (Status.COMPLETED, 100)
    assert visit.summary == "The patient came with a cough."
    assert visit.source == "model"
    assert visit.wake_at is None
    actions = await services.store.actions("visit-1")
    assert [action.text for action in actions] == ["Take the amoxicillin.", "Come back."]
    assert tuple(action.action_id for action in actions) == visit.action_ids
    assert [entry.event for entry in await services.store.history("visit-1")] == [
        "audio_accepted",
        "submission_claimed",
        "transcription_submitted",
        "transcript_stored",
        "summary_claimed",
        "summary_stored",
    ]


async def test_twenty_concurrent_events_of_an_upload_submit_one_job(
    services: MemoryServices,
) -> None:
    uploaded = services.upload()
    await asyncio.gather(*(accept.accept(services, uploaded) for _ in range(20)))
    assert len(services.transcriber.orders) == 1
    assert (await visit_of(services)).processing_status is ProcessingStatus.TRANSCRIBING


async def test_concurrent_webhooks_polls_and_tasks_pay_one_summary(
    services: MemoryServices,
) -> None:
    await accept.accept(services, services.upload())
    (order,) = services.transcriber.orders
    services.transcriber.finish(order.transcript_id, Transcribed(transcript()))
    services.clock.advance(timedelta(minutes=1))
    racers = [
        *(collect.collect(services, "visit-1", 1, order.transcript_id) for _ in range(20)),
        *(recover.wake_due(services) for _ in range(20)),
        *(summarize.summarize(services, "visit-1", 1) for _ in range(20)),
    ]
    await asyncio.gather(*racers)
    await asyncio.gather(*(summarize.summarize(services, "visit-1", 1) for _ in range(10)))
    await run_tasks(services)
    assert services.summarizer.calls == 1
    assert len(await services.store.actions("visit-1")) == 2
    assert (await visit_of(services)).status is Status.COMPLETED


async def test_the_poller_completes_a_visit_without_a_webhook(services: MemoryServices) -> None:
    await accept.accept(services, services.upload())
    (order,) = services.transcriber.orders
    await wake_after(services, timedelta(minutes=1))
    assert (await visit_of(services)).processing_status is ProcessingStatus.TRANSCRIBING
    services.transcriber.finish(order.transcript_id, Transcribed(transcript()))
    await wake_after(services, timedelta(minutes=1))
    await run_tasks(services)
    assert (await visit_of(services)).status is Status.COMPLETED


async def test_a_job_whose_submission_response_was_lost_is_found_and_used(
    services: MemoryServices,
) -> None:
    transcriber = services.transcriber

    class AnswerLost:
        provider = "memory"
        limits = UPLOADS

        async def submit(self, audio_url: str, *, visit_id: str, attempt: int) -> str:
            await transcriber.submit(audio_url, visit_id=visit_id, attempt=attempt)
            raise Transient(ErrorCode.TRANSCRIPTION_UNAVAILABLE)

        fetch = transcriber.fetch
        find = transcriber.find

    services.transcriber = AnswerLost()  # type: ignore[assignment]
    await accept.accept(services, services.upload())
    assert (await visit_of(services)).processing_status is ProcessingStatus.PENDING
    await wake_after(services, timedelta(minutes=2))
    visit = await visit_of(services)
    assert visit.transcription
    assert visit.transcription.transcript_id == "job-0"
    assert len(transcriber.orders) == 1


async def test_a_visit_fails_after_max_tries_if_the_provider_is_unavailable(
    services: MemoryServices,
) -> None:
    class Unavailable:
        provider = "memory"
        limits = UPLOADS
        orders = 0

        async def submit(self, audio_url: str, *, visit_id: str, attempt: int) -> str:
            self.orders += 1
            raise Transient(ErrorCode.TRANSCRIPTION_UNAVAILABLE)

        async def find(self, audio: object) -> None:
            return None

    unavailable = Unavailable()
    services.transcriber = unavailable  # type: ignore[assignment]
    await accept.accept(services, services.upload())
    for _ in range(10):
        await wake_after(services, timedelta(minutes=10))
    visit = await visit_of(services)
    assert visit.status is Status.FAILED
    assert visit.processing_error
    assert visit.processing_error.code is ErrorCode.TRANSCRIPTION_UNAVAILABLE
    assert unavailable.orders == MAX_TRIES


async def test_an_unavailable_model_is_called_after_retry_after(services: MemoryServices) -> None:
    await transcribed(services)
    services.summarizer.raises = [Transient(ErrorCode.SUMMARY_UNAVAILABLE, retry_after_s=300)]
    await run_tasks(services)
    await wake_after(services, timedelta(seconds=299))
    assert services.tasks.waiting.empty(), "Retry-After is five minutes"
    await wake_after(services, timedelta(seconds=1))
    await run_tasks(services)
    assert (await visit_of(services)).status is Status.COMPLETED


async def test_a_lost_task_is_created_again_under_another_name(services: MemoryServices) -> None:
    await transcribed(services)
    services.tasks.waiting.get_nowait()
    await wake_after(services, timedelta(minutes=3))
    await run_tasks(services)
    assert (await visit_of(services)).status is Status.COMPLETED
    assert len(set(services.tasks.created)) == 2


async def test_a_crashed_worker_is_replaced_after_its_lease_expires(
    services: MemoryServices,
) -> None:
    await transcribed(services)
    services.summarizer.raises = [ZeroDivisionError()]  # has the same effect as a crash
    with pytest.raises(ZeroDivisionError):
        await run_tasks(services)
    await summarize.summarize(services, "visit-1", 1)
    assert services.summarizer.calls == 1, "the lease has not expired"
    await wake_after(services, timedelta(minutes=5))
    await run_tasks(services)
    assert (await visit_of(services)).status is Status.COMPLETED


async def test_a_newer_recording_starts_a_new_attempt_and_replaces_the_results(
    services: MemoryServices,
) -> None:
    await transcribed(services)
    await run_tasks(services)
    await accept.accept(services, services.upload(generation=2))
    heard = transcript((("A", "How is the knee?"), ("B", "My knee is better, doctor.")))
    services.transcriber.finish("job-1", Transcribed(heard))
    await collect.collect(services, "visit-1", 1, "job-0")
    await collect.collect(services, "visit-1", 2, "job-1")
    await run_tasks(services)
    visit = await visit_of(services)
    assert (visit.attempt, visit.status) == (2, Status.COMPLETED)
    stored = await services.store.transcript("visit-1")
    assert [utterance.text for utterance in stored] == [u.text for u in heard.utterances]
    actions = await services.store.actions("visit-1")
    assert {action.action_id for action in actions} == set(visit.action_ids)


async def test_an_error_of_one_visit_does_not_stop_the_collection_of_other_visits(
    services: MemoryServices,
) -> None:
    for number in range(5):
        await accept.accept(services, services.upload(f"visit-{number}"))
        services.transcriber.finish(f"job-{number}", Transcribed(transcript()))
    del services.transcriber.orders[0].state
    services.clock.advance(timedelta(minutes=1))
    with pytest.raises(ExceptionGroup):
        await recover.wake_due(services)
    assert len(services.tasks.created) == 4


async def test_an_upload_into_another_users_visit_is_ignored(services: MemoryServices) -> None:
    await accept.accept(services, services.upload())
    foreign = upload(generation=9).model_copy(update={"user_id": "user-2"})
    before = services.store.documents()
    await accept.accept(services, foreign)
    assert services.store.documents() == before
