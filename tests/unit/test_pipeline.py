"""A visit's way through the pipeline, with every part in memory and the clock in hand."""

import asyncio
from datetime import timedelta

import pytest

from lumimd.domain.errors import ErrorCode, Transient
from lumimd.domain.timing import MAX_TRIES
from lumimd.domain.visit import ProcessingStatus, Status
from lumimd.pipeline import accept, collect, recover, summarize
from lumimd.ports.transcriber import Transcribed
from tests.support.parts import MemoryParts, transcribed, transcript, upload
from tests.support.visits import run_tasks, visit_of, wake_after


@pytest.fixture
def parts() -> MemoryParts:
    return MemoryParts()


async def test_a_recording_becomes_a_summary_with_action_items(parts: MemoryParts) -> None:
    await accept.accept(parts, parts.upload())
    (order,) = parts.transcriber.orders
    parts.transcriber.finish(order.transcript_id, Transcribed(transcript()))
    await collect.collect(parts, "visit-1", 1, order.transcript_id)
    await run_tasks(parts)

    visit = await visit_of(parts)
    assert (visit.status, visit.progress_percent) == (Status.COMPLETED, 100)
    assert visit.summary == "The patient came with a cough."
    assert visit.source == "model"
    assert visit.wake_at is None
    actions = await parts.store.actions("visit-1")
    assert [action.text for action in actions] == ["Take the amoxicillin.", "Come back."]
    assert tuple(action.action_id for action in actions) == visit.action_ids
    assert [entry.event for entry in await parts.store.history("visit-1")] == [
        "audio_accepted",
        "submission_claimed",
        "transcription_submitted",
        "transcript_stored",
        "summary_claimed",
        "summary_stored",
    ]


async def test_the_same_upload_twenty_times_at_once_is_one_order(parts: MemoryParts) -> None:
    uploaded = parts.upload()
    await asyncio.gather(*(accept.accept(parts, uploaded) for _ in range(20)))
    assert len(parts.transcriber.orders) == 1
    assert (await visit_of(parts)).processing_status is ProcessingStatus.TRANSCRIBING


async def test_webhook_poller_and_tasks_racing_pay_for_one_summary(parts: MemoryParts) -> None:
    await accept.accept(parts, parts.upload())
    (order,) = parts.transcriber.orders
    parts.transcriber.finish(order.transcript_id, Transcribed(transcript()))
    parts.clock.advance(timedelta(minutes=1))
    racers = [
        *(collect.collect(parts, "visit-1", 1, order.transcript_id) for _ in range(20)),
        *(recover.wake_due(parts) for _ in range(20)),
        *(summarize.summarize(parts, "visit-1", 1) for _ in range(20)),
    ]
    await asyncio.gather(*racers)
    await asyncio.gather(*(summarize.summarize(parts, "visit-1", 1) for _ in range(10)))
    await run_tasks(parts)
    assert parts.summarizer.calls == 1
    assert len(await parts.store.actions("visit-1")) == 2
    assert (await visit_of(parts)).status is Status.COMPLETED


async def test_the_poller_alone_finishes_a_visit(parts: MemoryParts) -> None:
    await accept.accept(parts, parts.upload())
    (order,) = parts.transcriber.orders
    await wake_after(parts, timedelta(minutes=1))
    assert (await visit_of(parts)).processing_status is ProcessingStatus.TRANSCRIBING
    parts.transcriber.finish(order.transcript_id, Transcribed(transcript()))
    await wake_after(parts, timedelta(minutes=1))
    await run_tasks(parts)
    assert (await visit_of(parts)).status is Status.COMPLETED


async def test_an_order_whose_answer_was_lost_is_adopted_and_not_repeated(
    parts: MemoryParts,
) -> None:
    transcriber = parts.transcriber

    class AnswerLost:
        provider = "memory"

        async def submit(self, audio_url: str, *, visit_id: str, attempt: int) -> str:
            await transcriber.submit(audio_url, visit_id=visit_id, attempt=attempt)
            raise Transient(ErrorCode.TRANSCRIPTION_UNAVAILABLE)

        fetch = transcriber.fetch
        find = transcriber.find

    parts.transcriber = AnswerLost()  # type: ignore[assignment]
    await accept.accept(parts, parts.upload())
    assert (await visit_of(parts)).processing_status is ProcessingStatus.PENDING
    await wake_after(parts, timedelta(minutes=2))
    visit = await visit_of(parts)
    assert visit.transcription
    assert visit.transcription.transcript_id == "job-0"
    assert len(transcriber.orders) == 1


async def test_a_transcription_that_stays_away_fails_after_a_bounded_number_of_orders(
    parts: MemoryParts,
) -> None:
    class Away:
        provider = "memory"
        orders = 0

        async def submit(self, audio_url: str, *, visit_id: str, attempt: int) -> str:
            self.orders += 1
            raise Transient(ErrorCode.TRANSCRIPTION_UNAVAILABLE)

        async def find(self, audio: object) -> None:
            return None

    away = Away()
    parts.transcriber = away  # type: ignore[assignment]
    await accept.accept(parts, parts.upload())
    for _ in range(10):
        await wake_after(parts, timedelta(minutes=10))
    visit = await visit_of(parts)
    assert visit.status is Status.FAILED
    assert visit.processing_error
    assert visit.processing_error.code is ErrorCode.TRANSCRIPTION_UNAVAILABLE
    assert away.orders == MAX_TRIES


async def test_a_model_that_is_away_for_a_while_is_asked_again(parts: MemoryParts) -> None:
    await transcribed(parts)
    parts.summarizer.raises = [Transient(ErrorCode.SUMMARY_UNAVAILABLE, retry_after_s=300)]
    await run_tasks(parts)
    await wake_after(parts, timedelta(seconds=299))
    assert parts.tasks.waiting.empty(), "the other side asked for five minutes"
    await wake_after(parts, timedelta(seconds=1))
    await run_tasks(parts)
    assert (await visit_of(parts)).status is Status.COMPLETED


async def test_a_lost_task_is_created_anew_under_another_name(parts: MemoryParts) -> None:
    await transcribed(parts)
    parts.tasks.waiting.get_nowait()
    await wake_after(parts, timedelta(minutes=3))
    await run_tasks(parts)
    assert (await visit_of(parts)).status is Status.COMPLETED
    assert len(set(parts.tasks.created)) == 2


async def test_a_dead_holder_of_a_claim_is_replaced_when_its_claim_ends(
    parts: MemoryParts,
) -> None:
    await transcribed(parts)
    parts.summarizer.raises = [ZeroDivisionError()]  # as good as a process that dies
    with pytest.raises(ZeroDivisionError):
        await run_tasks(parts)
    await summarize.summarize(parts, "visit-1", 1)
    assert parts.summarizer.calls == 1, "the claim is still held"
    await wake_after(parts, timedelta(minutes=5))
    await run_tasks(parts)
    assert (await visit_of(parts)).status is Status.COMPLETED


async def test_new_audio_for_the_same_visit_is_a_new_attempt_without_traces_of_the_old(
    parts: MemoryParts,
) -> None:
    await transcribed(parts)
    await run_tasks(parts)
    await accept.accept(parts, parts.upload(generation=2))
    heard = transcript((("A", "How is the knee?"), ("B", "My knee is better, doctor.")))
    parts.transcriber.finish("job-1", Transcribed(heard))
    await collect.collect(parts, "visit-1", 1, "job-0")
    await collect.collect(parts, "visit-1", 2, "job-1")
    await run_tasks(parts)
    visit = await visit_of(parts)
    assert (visit.attempt, visit.status) == (2, Status.COMPLETED)
    stored = await parts.store.transcript("visit-1")
    assert [utterance.text for utterance in stored] == [u.text for u in heard.utterances]
    actions = await parts.store.actions("visit-1")
    assert {action.action_id for action in actions} == set(visit.action_ids)


async def test_one_visit_in_trouble_does_not_keep_the_others_from_their_turn(
    parts: MemoryParts,
) -> None:
    for number in range(5):
        await accept.accept(parts, parts.upload(f"visit-{number}"))
        parts.transcriber.finish(f"job-{number}", Transcribed(transcript()))
    del parts.transcriber.orders[0].state
    parts.clock.advance(timedelta(minutes=1))
    with pytest.raises(ExceptionGroup):
        await recover.wake_due(parts)
    assert len(parts.tasks.created) == 4


async def test_an_upload_into_somebody_elses_visit_is_left_alone(parts: MemoryParts) -> None:
    await accept.accept(parts, parts.upload())
    foreign = upload(generation=9).model_copy(update={"user_id": "user-2"})
    before = parts.store.documents()
    await accept.accept(parts, foreign)
    assert parts.store.documents() == before
