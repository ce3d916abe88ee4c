"""The pipeline logs each measurement once, at the moment of its event."""

import asyncio
from datetime import timedelta

import pytest

from lumimd.domain import events
from lumimd.domain.codes import ErrorCode
from lumimd.domain.dead_letter import dead_letter_of
from lumimd.domain.errors import Permanent, Transient
from lumimd.domain.state_machine import advance, retry_event
from lumimd.domain.visit import Visit
from lumimd.pipeline import accept, collect, recover, summarize
from lumimd.pipeline.save import save_event
from lumimd.ports.transcriber import Failed, Transcribed
from lumimd.telemetry import metrics
from tests.monitoring.lines import Lines
from tests.support.services import START, MemoryServices, NothingToSay, transcript, upload

MINUTE = timedelta(minutes=1)


async def submitted(services: MemoryServices, visit_id: str = "visit-1") -> None:
    await accept.accept(services, services.upload(visit_id))


async def transcribed(services: MemoryServices, visit_id: str = "visit-1") -> None:
    order = next(order for order in services.transcriber.orders if order.visit_id == visit_id)
    services.transcriber.finish(order.transcript_id, Transcribed(transcript()))
    await collect.collect(services, visit_id, order.attempt, order.transcript_id)


async def retried(services: MemoryServices) -> None:
    stored = await services.store.get("visit-1")
    assert stored
    await save_event(services, stored, retry_event(stored.visit))


async def test_the_logged_duration_of_a_stage_begins_at_the_end_of_the_previous_stage(
    lines: Lines,
) -> None:
    services = MemoryServices()
    await submitted(services)
    services.clock.advance(3 * MINUTE)
    await transcribed(services)
    services.clock.advance(2 * MINUTE)
    await summarize.summarize(services, "visit-1", 1)
    ended = {line["stage"]: line["durationMs"] for line in lines.of("stage_ended")}
    assert ended == {"submission": 0, "transcription": 180_000, "summary": 120_000}
    assert lines.one("visit_ended")["durationMs"] == 300_000


async def test_the_logged_delay_excludes_the_time_expected_for_the_recording_length(
    lines: Lines,
) -> None:
    services = MemoryServices()
    await submitted(services)  # two seconds of recording: the expected time is 15.5 s
    services.clock.advance(MINUTE)
    await transcribed(services)
    line = lines.of("stage_ended")[-1]
    assert (line["durationMs"], line["delayMs"]) == (60_000, 44_500)


async def test_the_log_line_of_a_transcript_has_its_length_and_none_of_its_words(
    lines: Lines,
) -> None:
    services = MemoryServices()
    await submitted(services)
    await transcribed(services)
    line = lines.of("stage_ended")[-1]
    spoken = [utterance.text for utterance in transcript().utterances]
    assert (line["utterances"], line["characters"]) == (4, sum(map(len, spoken)))
    assert line["audioSeconds"] == 2.0
    assert not any(text in lines.getvalue() for text in spoken)


async def test_concurrent_collections_of_a_transcript_log_one_end_of_the_stage(
    lines: Lines,
) -> None:
    services = MemoryServices()
    await submitted(services)
    services.clock.advance(MINUTE)
    await asyncio.gather(*(transcribed(services) for _ in range(5)), recover.wake_due(services))
    stages = [line["stage"] for line in lines.of("stage_ended")]
    assert stages == ["submission", "transcription"]


async def test_a_transcription_of_unknown_begin_logs_no_duration(lines: Lines) -> None:
    services = MemoryServices()
    uploaded = services.upload()
    services.transcriber.submit = _answer_lost(services)  # type: ignore[method-assign]
    await accept.accept(services, uploaded)
    order = services.transcriber.orders[0]
    services.transcriber.finish(order.transcript_id, Transcribed(transcript()))
    await collect.collect(services, "visit-1", 1, order.transcript_id)
    assert lines.of("transcript_stored")
    assert lines.of("stage_ended") == []


def _answer_lost(services: MemoryServices):  # type: ignore[no-untyped-def]
    submit = services.transcriber.submit

    async def lost(*args: str, **fields: object) -> str:
        await submit(*args, **fields)  # type: ignore[arg-type]
        raise Transient(ErrorCode.TRANSCRIPTION_UNAVAILABLE)

    return lost


async def test_a_failed_visit_logs_a_dead_letter_with_stage_and_code(lines: Lines) -> None:
    services = MemoryServices()
    await submitted(services)
    services.transcriber.finish("job-0", Failed(ErrorCode.TRANSCRIPTION_FAILED, is_transient=False))
    await collect.collect(services, "visit-1", 1, "job-0")
    letter, ended = lines.one("dead_letter_written"), lines.one("visit_ended")
    assert (letter["stage"], letter["code"]) == ("transcription", "transcription_failed")
    assert (letter["severity"], letter["visitId"]) == ("WARNING", "visit-1")
    assert (ended["outcome"], ended["code"]) == ("failed", "transcription_failed")


@pytest.mark.parametrize("audio", [True, False])
@pytest.mark.parametrize("code", ErrorCode)
def test_a_dead_letter_is_logged_exactly_when_one_is_written(
    lines: Lines, code: ErrorCode, audio: bool
) -> None:
    before = Visit(
        visit_id="visit-1",
        user_id="user-1",
        audio=upload().audio if audio else None,
        created_at=START,
        updated_at=START,
    )
    event = events.AudioRejected(1, code)
    step = advance(before, event, START)
    metrics.advanced(step, event)
    written = dead_letter_of(before, step.visit, START) is not None
    assert bool(lines.of("dead_letter_written")) is written
    assert lines.one("visit_ended")["outcome"] == ("failed" if written else "up_to_owner")


async def test_events_after_the_end_of_a_visit_log_no_second_end(lines: Lines) -> None:
    services = MemoryServices()
    await submitted(services)
    services.transcriber.finish("job-0", Failed(ErrorCode.TRANSCRIPTION_FAILED, is_transient=False))
    await collect.collect(services, "visit-1", 1, "job-0")
    stored = await services.store.get("visit-1")
    assert stored
    for event in (events.VisitEdited(None, {"title": "x"}), events.ConsentGiven(None)):
        step = advance(stored.visit, event, START)
        assert step.changed
        metrics.advanced(step, event)
    assert len(lines.of("visit_ended")) == len(lines.of("dead_letter_written")) == 1


async def test_a_regenerated_summary_is_not_logged_as_a_retry(lines: Lines) -> None:
    services = MemoryServices()
    await submitted(services)
    await transcribed(services)
    await summarize.summarize(services, "visit-1", 1)
    stored = await services.store.get("visit-1")
    assert stored
    event = events.SummaryRegenerated(stored.visit.attempt)
    metrics.advanced(advance(stored.visit, event, START), event)
    assert lines.of("visit_retried") == []


async def test_a_cancelled_visit_logs_no_dead_letter(lines: Lines) -> None:
    services = MemoryServices()
    await submitted(services)
    stored = await services.store.get("visit-1")
    assert stored
    await save_event(services, stored, events.VisitCancelled(None))
    assert lines.one("visit_ended")["outcome"] == "cancelled"
    assert lines.of("dead_letter_written") == []


async def test_the_log_line_of_a_retry_has_the_number_of_retries(lines: Lines) -> None:
    services = MemoryServices()
    await submitted(services)
    for attempt in (1, 2):
        job = f"job-{attempt - 1}"
        services.transcriber.finish(job, Failed(ErrorCode.TRANSCRIPTION_FAILED, is_transient=False))
        await collect.collect(services, "visit-1", attempt, job)
        await retried(services)
        await recover.wake_due(services)
    assert [line["retries"] for line in lines.of("visit_retried")] == [1, 2]


async def test_all_measurements_of_an_ended_visit_are_on_one_log_line(lines: Lines) -> None:
    services = MemoryServices()
    await submitted(services)
    await transcribed(services)
    await summarize.summarize(services, "visit-1", 1)
    line = lines.one("visit_ended")
    fields = ("durationMs", "audioSeconds", "sizeBytes", "restarts", "retries", "source")
    assert [line[name] for name in fields] == [0, 2.0, 64_044, 0, 0, "model"]
    assert (line["orders"], line["paidSeconds"], line["summaries"]) == (1, 8.0, 1)
    assert (line["visitId"], line["attempt"], line["trace"]) == ("visit-1", 1, "id-1")
    assert "code" not in line


async def test_a_job_submitted_again_after_a_lost_job_logs_no_submission_duration(
    lines: Lines,
) -> None:
    services = MemoryServices()
    await submitted(services)
    services.transcriber.finish("job-0", Failed(ErrorCode.TRANSCRIPTION_FAILED, is_transient=True))
    await collect.collect(services, "visit-1", 1, "job-0")
    services.clock.advance(10 * MINUTE)
    await recover.wake_due(services)
    assert len(lines.of("transcription_submitted")) == 2
    assert [line["stage"] for line in lines.of("stage_ended")] == ["submission"]


async def test_the_logged_duration_of_a_retried_summary_begins_with_the_retry(lines: Lines) -> None:
    services = MemoryServices()
    await submitted(services)
    await transcribed(services)
    services.summarizer.raises = [Permanent(ErrorCode.SUMMARY_REFUSED)]
    services.fallback = NothingToSay()
    await summarize.summarize(services, "visit-1", 1)
    services.clock.advance(24 * 60 * MINUTE)
    await retried(services)
    services.clock.advance(MINUTE)
    await summarize.summarize(services, "visit-1", 2)
    line = lines.of("stage_ended")[-1]
    assert (line["stage"], line["durationMs"]) == ("summary", 60_000)
