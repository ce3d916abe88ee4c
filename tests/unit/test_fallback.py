"""What becomes of a visit while its model is away, and how one begins again."""

from datetime import timedelta

import pytest

from lumimd import collecting, commands, pipeline, recovery
from lumimd.dead_letter import DeadLetter
from lumimd.errors import ErrorCode, Held, Permanent, RefusalCode, Refused, Transient
from lumimd.fallback import GIVE_UP_AFTER, PROVISIONAL_AFTER, RELEASE_OVER
from lumimd.ports import Running, Transcribed
from lumimd.records import ProcessingStatus, Stage, Status, Visit
from lumimd.resilience.backoff import FIRST, MAX_TRIES
from tests.support.parts import START, MemoryParts, transcribed, transcript

AWAY = Transient(ErrorCode.SUMMARY_UNAVAILABLE)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def parts() -> MemoryParts:
    return MemoryParts()


class HeldModel:
    """A model behind an open breaker: nobody is asked."""

    source = "model"

    async def summarize(self, _: object) -> None:
        raise Held(ErrorCode.SUMMARY_UNAVAILABLE, retry_after_s=60)


async def visit_of(parts: MemoryParts, visit_id: str = "visit-1") -> Visit:
    stored = await parts.store.get(visit_id)
    assert stored
    return stored.visit


async def dead_letter_of(parts: MemoryParts) -> DeadLetter | None:
    return await parts.store.dead_letter("visit-1")


async def run_tasks(parts: MemoryParts) -> None:
    while not parts.tasks.waiting.empty():
        task = parts.tasks.waiting.get_nowait()
        await pipeline.summarize(parts, task.visit_id, task.attempt)


async def minutes_pass(parts: MemoryParts, minutes: float) -> None:
    """The scheduler's ticks and the tasks that they create."""
    end = parts.clock.now() + minutes * MINUTE
    while parts.clock.now() < end:
        parts.clock.advance(MINUTE)
        await recovery.wake_due(parts)
        await run_tasks(parts)


async def test_an_outage_uses_up_no_try_and_ends_in_a_summary_by_the_model(
    parts: MemoryParts,
) -> None:
    model = parts.summarizer
    await transcribed(parts)
    parts.summarizer = HeldModel()  # type: ignore[assignment]
    await run_tasks(parts)
    await minutes_pass(parts, 120)
    visit = await visit_of(parts)
    assert visit.processing_status is ProcessingStatus.SUMMARIZING
    assert visit.stage_tries == 0
    assert await dead_letter_of(parts) is None

    parts.summarizer = model
    await minutes_pass(parts, 10)
    visit = await visit_of(parts)
    assert (visit.status, visit.source, visit.provisional) == (Status.COMPLETED, "model", False)
    assert model.calls == 1


async def test_who_was_asked_for_patience_stays_patient_while_the_model_is_known_to_be_down(
    parts: MemoryParts,
) -> None:
    await transcribed(parts)
    asked = Transient(ErrorCode.SUMMARY_UNAVAILABLE, retry_after_s=1800)
    parts.summarizer.raises = [AWAY, AWAY, asked]
    parts.refusals[Stage.SUMMARY] = Held(ErrorCode.SUMMARY_UNAVAILABLE, retry_after_s=30)
    await run_tasks(parts)
    await minutes_pass(parts, 5)
    assert parts.summarizer.calls == 3
    visit = await visit_of(parts)
    assert visit.wake_at is not None
    assert visit.wake_at - parts.clock.now() > 20 * MINUTE


async def test_who_waits_long_is_shown_a_provisional_summary_which_is_replaced_once(
    parts: MemoryParts,
) -> None:
    model = parts.summarizer
    await transcribed(parts)
    parts.summarizer = HeldModel()  # type: ignore[assignment]
    await run_tasks(parts)
    await minutes_pass(parts, PROVISIONAL_AFTER / MINUTE - 2)
    assert (await visit_of(parts)).summary is None
    await minutes_pass(parts, 10)
    visit = await visit_of(parts)
    assert (visit.source, visit.provisional, visit.status) == ("rules", True, Status.PROCESSING)
    assert visit.summary
    assert await parts.store.actions("visit-1") == (), "what may change is nobody's task yet"

    parts.summarizer = model
    await minutes_pass(parts, 10)
    events = [entry.event for entry in await parts.store.history("visit-1")]
    assert events.count("provisional_summary_stored") == 1
    assert events.count("summary_stored") == 1
    assert len(await parts.store.actions("visit-1")) == 2


async def test_a_model_that_never_comes_back_leaves_the_transcript_and_what_rules_tell(
    parts: MemoryParts,
) -> None:
    await transcribed(parts)
    parts.summarizer = HeldModel()  # type: ignore[assignment]
    await run_tasks(parts)
    await minutes_pass(parts, GIVE_UP_AFTER / MINUTE + 120)
    visit = await visit_of(parts)
    assert (visit.status, visit.source, visit.provisional) == (Status.PARTIAL, "rules", True)
    letter = await dead_letter_of(parts)
    assert letter
    assert (letter.stage, letter.code) == (Stage.SUMMARY, ErrorCode.SUMMARY_UNAVAILABLE)


async def test_after_the_last_try_there_is_a_dead_letter_with_the_first_and_the_last_error(
    parts: MemoryParts,
) -> None:
    await transcribed(parts)
    parts.summarizer.raises = [Transient(ErrorCode.INTERNAL_ERROR), AWAY, AWAY]
    await run_tasks(parts)
    await minutes_pass(parts, 30)
    assert parts.summarizer.calls == MAX_TRIES
    visit = await visit_of(parts)
    assert (visit.status, visit.source) == (Status.PARTIAL, "rules")
    letter = await dead_letter_of(parts)
    assert letter
    assert letter.tries == MAX_TRIES
    assert letter.first_error is ErrorCode.INTERNAL_ERROR
    assert letter.last_error is ErrorCode.SUMMARY_UNAVAILABLE
    assert START < letter.first_seen_at + MINUTE <= letter.last_seen_at


async def test_a_replay_begins_at_the_summary_and_transcribes_nothing(parts: MemoryParts) -> None:
    await transcribed(parts)
    parts.summarizer.raises = [Permanent(ErrorCode.SUMMARY_TRUNCATED)]
    await run_tasks(parts)
    assert await dead_letter_of(parts)
    await commands.retry(parts, "visit-1")
    assert await dead_letter_of(parts) is None
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
    await pipeline.accept(parts, parts.upload())
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
    await run_tasks(parts)
    await commands.retry(parts, "visit-1")
    for _ in range(1, clicks):
        with pytest.raises(Refused) as refused:
            await commands.retry(parts, "visit-1")
        assert refused.value.code is RefusalCode.STILL_PROCESSING
    assert (await visit_of(parts)).retry_count == 1


async def test_a_cancelled_visit_costs_nothing_more(parts: MemoryParts) -> None:
    await pipeline.accept(parts, parts.upload())
    await commands.cancel(parts, "visit-1")
    parts.transcriber.finish("job-0", Transcribed(transcript()))
    await collecting.collect(parts, "visit-1", 1, "job-0")
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


async def test_held_submissions_come_back_one_after_another(parts: MemoryParts) -> None:
    async def held(*_: object, **__: object) -> str:
        raise Held(ErrorCode.TRANSCRIPTION_UNAVAILABLE, retry_after_s=60)

    parts.transcriber.submit = held  # type: ignore[method-assign]
    for number in range(50):
        await pipeline.accept(parts, parts.upload(f"visit-{number}"))
    wake_ups = [(await visit_of(parts, f"visit-{n}")).wake_at for n in range(50)]
    assert None not in wake_ups
    spread = max(wake_ups) - min(wake_ups)  # type: ignore[type-var,operator]
    assert RELEASE_OVER / 2 < spread <= RELEASE_OVER
    assert len(set(wake_ups)) == 50


@pytest.mark.parametrize("unavailable", ["measure", "signed_url"])
async def test_a_bucket_that_is_away_for_an_hour_uses_up_no_try(
    parts: MemoryParts, unavailable: str
) -> None:
    working = getattr(parts.audio, unavailable)

    async def away(*_: object) -> None:
        raise Transient(ErrorCode.INTERNAL_ERROR)

    setattr(parts.audio, unavailable, away)
    await pipeline.accept(parts, parts.upload())
    await minutes_pass(parts, 60)
    assert (await visit_of(parts)).stage_tries == 0
    setattr(parts.audio, unavailable, working)
    await minutes_pass(parts, 11)
    assert len(parts.transcriber.orders) == 1


async def test_a_list_that_cannot_be_looked_at_uses_up_no_try(parts: MemoryParts) -> None:
    """Whoever cannot look does not know that there is no transcript."""
    ordering, looking = parts.transcriber.submit, parts.transcriber.find

    async def answer_lost(url: str, *, visit_id: str, attempt: int) -> str:
        await ordering(url, visit_id=visit_id, attempt=attempt)
        raise Transient(ErrorCode.TRANSCRIPTION_UNAVAILABLE)

    async def away(_: object) -> None:
        raise Transient(ErrorCode.TRANSCRIPTION_UNAVAILABLE)

    parts.transcriber.submit = answer_lost  # type: ignore[method-assign]
    parts.transcriber.find = away  # type: ignore[method-assign,assignment]
    await pipeline.accept(parts, parts.upload())
    await minutes_pass(parts, 60)
    assert (await visit_of(parts)).stage_tries == 1, "the order that was sent"
    parts.transcriber.find = looking  # type: ignore[method-assign]
    await minutes_pass(parts, 11)
    visit = await visit_of(parts)
    assert visit.transcription
    assert len(parts.transcriber.orders) == 1


async def test_an_order_that_may_have_arrived_is_not_repeated_before_the_list_shows_it(
    parts: MemoryParts,
) -> None:
    """A breaker that is being probed asks to come back in ten seconds; its list lags by thirty."""

    async def sent_and_not_answered(*_: object, **__: object) -> str:
        raise Held(ErrorCode.TRANSCRIPTION_UNAVAILABLE, retry_after_s=10)

    parts.transcriber.submit = sent_and_not_answered  # type: ignore[method-assign]
    for number in range(20):
        await pipeline.accept(parts, parts.upload(f"visit-{number}"))
    for number in range(20):
        wake_at = (await visit_of(parts, f"visit-{number}")).wake_at
        assert wake_at
        assert wake_at - parts.clock.now() >= FIRST


async def test_an_event_that_went_round_for_hours_ends_as_a_dead_letter(
    parts: MemoryParts,
) -> None:
    uploaded = parts.upload()
    parts.clock.advance(pipeline.EVENT_CAP + MINUTE)
    await pipeline.accept(parts, uploaded)
    visit = await visit_of(parts)
    assert visit.processing_error
    assert visit.processing_error.code is ErrorCode.RECEIVED_TOO_LATE
    assert await dead_letter_of(parts)
    assert parts.transcriber.orders == []
    await commands.retry(parts, "visit-1")
    await minutes_pass(parts, 2)
    assert len(parts.transcriber.orders) == 1, "the recording is there and can be tried again"


async def test_a_job_that_never_ends_is_taken_for_lost(parts: MemoryParts) -> None:
    await pipeline.accept(parts, parts.upload())
    for _ in range(80):
        await minutes_pass(parts, 60)
    visit = await visit_of(parts)
    assert visit.status is Status.FAILED
    assert isinstance(parts.transcriber.orders[0].state, Running)
