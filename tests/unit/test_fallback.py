"""What becomes of a visit while its model is away."""

from datetime import timedelta

import pytest

from lumimd import pipeline
from lumimd.errors import ErrorCode, Held, Transient
from lumimd.fallback import GIVE_UP_AFTER, PROVISIONAL_AFTER
from lumimd.records import ProcessingStatus, Stage, Status
from lumimd.resilience.backoff import MAX_TRIES
from tests.support.parts import START, MemoryParts, transcribed
from tests.support.visits import MINUTE, minutes_pass, run_tasks, visit_of, wake_after

AWAY = Transient(ErrorCode.SUMMARY_UNAVAILABLE)


@pytest.fixture
def parts() -> MemoryParts:
    return MemoryParts()


class HeldModel:
    """A model behind an open breaker: nobody is asked."""

    source = "model"

    async def summarize(self, _: object) -> None:
        raise Held(ErrorCode.SUMMARY_UNAVAILABLE, retry_after_s=60)


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
    assert await parts.store.dead_letter("visit-1") is None

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


async def test_a_task_that_comes_again_asks_no_earlier_though_something_is_shown_meanwhile(
    parts: MemoryParts,
) -> None:
    await transcribed(parts)
    parts.clock.advance(PROVISIONAL_AFTER)
    parts.summarizer.raises = [Transient(ErrorCode.SUMMARY_UNAVAILABLE, retry_after_s=300)]
    await run_tasks(parts)
    assert (await visit_of(parts)).provisional
    parts.clock.advance(timedelta(seconds=299))
    await pipeline.summarize(parts, "visit-1", 1)
    assert parts.summarizer.calls == 1
    await wake_after(parts, timedelta(seconds=1))
    await run_tasks(parts)
    assert (await visit_of(parts)).status is Status.COMPLETED


async def test_a_model_that_never_comes_back_leaves_the_transcript_and_what_rules_tell(
    parts: MemoryParts,
) -> None:
    await transcribed(parts)
    parts.summarizer = HeldModel()  # type: ignore[assignment]
    await run_tasks(parts)
    await minutes_pass(parts, GIVE_UP_AFTER / MINUTE + 120)
    visit = await visit_of(parts)
    assert (visit.status, visit.source, visit.provisional) == (Status.PARTIAL, "rules", True)
    letter = await parts.store.dead_letter("visit-1")
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
    letter = await parts.store.dead_letter("visit-1")
    assert letter
    assert letter.tries == MAX_TRIES
    assert letter.first_error is ErrorCode.INTERNAL_ERROR
    assert letter.last_error is ErrorCode.SUMMARY_UNAVAILABLE
    assert START < letter.first_seen_at + MINUTE <= letter.last_seen_at
