"""The history of a visit as stages with durations."""

from datetime import timedelta

from lumimd.domain.errors import ErrorCode, Permanent
from lumimd.domain.visit import Stage
from lumimd.domain.visit_line import VisitLine
from lumimd.operations import dead_letters
from lumimd.operations.operator import Operator
from lumimd.operations.timeline import RunOutcome, StageRun, timeline
from lumimd.pipeline import accept, collect, commands, summarize
from lumimd.ports.transcriber import Transcribed
from tests.support.operators import CANARY, OperatedParts, spoken
from tests.support.parts import NothingToSay, another, tone
from tests.support.visits import minutes_pass

SECONDS = timedelta(seconds=1)


async def runs_of(parts: OperatedParts, visit_id: str = "v1") -> tuple[StageRun, ...]:
    visit = VisitLine.of(await parts.get(visit_id))
    return timeline(visit, await parts.store.history(visit_id), parts.clock.now()).runs


async def walked(parts: OperatedParts) -> None:
    """Ordered at once, transcribed in 40 s; 5 s until the summary is tried."""
    await parts.submitted("v1")
    parts.clock.advance(40 * SECONDS)
    parts.transcriber.finish("job-0", Transcribed(spoken()))
    await collect.collect(parts, "v1", 1, "job-0")
    parts.clock.advance(5 * SECONDS)


async def test_each_stage_has_its_duration_its_tries_and_what_went_in_and_out(
    parts: OperatedParts,
) -> None:
    await walked(parts)
    await summarize.summarize(parts, "v1", 1)
    submission, transcription, summary = await runs_of(parts)
    assert [submission.stage, transcription.stage, summary.stage] == list(Stage)
    assert [run.seconds for run in (submission, transcription, summary)] == [0, 40, 5]
    assert {run.outcome for run in (submission, transcription, summary)} == {RunOutcome.DONE}
    assert (submission.tries, summary.tries) == (1, 1)
    assert submission.input_ref == "gs://recordings/visits/user-1/v1/audio.wav#1"
    assert submission.output_ref == transcription.input_ref == "memory/job-0"
    assert transcription.output_ref == summary.input_ref == "visits/v1/transcript"
    assert summary.output_ref == "visits/v1"


async def test_the_same_input_has_the_same_hash_and_another_one_has_not(
    parts: OperatedParts,
) -> None:
    await parts.completed("v1")
    await parts.completed("v2")
    first, again, other = await runs_of(parts), await runs_of(parts), await runs_of(parts, "v2")
    assert [run.input_hash for run in first] == [run.input_hash for run in again]
    assert None not in [run.input_hash for run in first]
    assert {run.input_hash for run in first}.isdisjoint(run.input_hash for run in other)


async def test_a_failure_and_the_retry_after_it_are_two_runs(
    parts: OperatedParts, olga: Operator
) -> None:
    await walked(parts)
    parts.summarizer.raises = [Permanent(ErrorCode.SUMMARY_INVALID)]
    parts.fallback = NothingToSay()
    await summarize.summarize(parts, "v1", 1)
    parts.clock.advance(timedelta(hours=1))
    await dead_letters.retry(olga, "v1")
    parts.clock.advance(7 * SECONDS)
    *_, failed, running = await runs_of(parts)
    assert (failed.stage, failed.attempt, failed.outcome) == (Stage.SUMMARY, 1, RunOutcome.FAILED)
    assert failed.trouble == ("summary_invalid",)
    assert failed.seconds == 5  # the hour in between is nobody's work
    assert (running.stage, running.attempt) == (Stage.SUMMARY, 2)
    assert (running.outcome, running.ended_at, running.seconds) == (RunOutcome.RUNNING, None, 7)


async def test_a_newer_recording_starts_the_visit_over(parts: OperatedParts) -> None:
    await parts.submitted("v1")
    parts.clock.advance(10 * SECONDS)
    await accept.accept(parts, parts.upload("v1", generation=2))
    outcomes = [(run.stage, run.attempt, run.outcome) for run in await runs_of(parts)]
    assert outcomes == [
        (Stage.SUBMISSION, 1, RunOutcome.DONE),
        (Stage.TRANSCRIPTION, 1, RunOutcome.STARTED_OVER),
        (Stage.SUBMISSION, 2, RunOutcome.DONE),
        (Stage.TRANSCRIPTION, 2, RunOutcome.RUNNING),
    ]


async def test_a_cancelled_visit_has_a_cancelled_run(parts: OperatedParts) -> None:
    await parts.submitted("v1")
    await commands.cancel(parts, "v1")
    assert (await runs_of(parts))[-1].outcome is RunOutcome.CANCELLED


async def test_no_word_of_the_visit_is_in_its_timeline(parts: OperatedParts) -> None:
    await parts.completed("v1")
    visit = await commands.change(parts, "v1", title=f"about {CANARY}")
    said = str(await parts.store.transcript("v1"))
    assert CANARY in said  # or this test would look for what is not there
    found = timeline(VisitLine.of(visit), await parts.store.history("v1"), parts.clock.now())
    assert CANARY not in str(found.to_stored())


async def test_the_files_of_a_visit_are_transcribed_one_after_the_other(
    parts: OperatedParts,
) -> None:
    await parts.submitted("v1")
    for number, content in ((2, b"not a recording"), (3, tone(seconds=2))):
        uploaded = another(number, "v1")
        parts.audio.put(uploaded.audio, content)
        await accept.accept(parts, uploaded)
    for order in range(2):
        attempt = (await parts.get("v1")).attempt
        parts.transcriber.finish(f"job-{order}", Transcribed(spoken()))
        await collect.collect(parts, "v1", attempt, f"job-{order}")
        await minutes_pass(parts, 3)
    told = [(run.stage, run.outcome) for run in await runs_of(parts)]
    assert told == [
        (Stage.SUBMISSION, RunOutcome.DONE),
        (Stage.TRANSCRIPTION, RunOutcome.DONE),
        (Stage.SUBMISSION, RunOutcome.FAILED),
        (Stage.SUBMISSION, RunOutcome.DONE),
        (Stage.TRANSCRIPTION, RunOutcome.DONE),
        (Stage.SUMMARY, RunOutcome.DONE),
    ]
