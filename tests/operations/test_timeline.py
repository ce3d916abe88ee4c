"""The timeline shows the history of a visit as stages with durations."""

from datetime import timedelta

from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import Permanent
from lumimd.domain.visit import Stage, VisitLine
from lumimd.operations import dead_letters
from lumimd.operations.operator import Operator
from lumimd.operations.timeline import RunOutcome, StageRun, timeline
from lumimd.pipeline import accept, collect, commands, summarize
from lumimd.ports.transcriber import Transcribed
from tests.support.operators import CANARY, OperatedServices, spoken
from tests.support.services import NothingToSay, another, tone
from tests.support.visits import minutes_pass

SECONDS = timedelta(seconds=1)


async def runs_of(services: OperatedServices, visit_id: str = "v1") -> tuple[StageRun, ...]:
    visit = VisitLine.of(await services.get(visit_id))
    return timeline(visit, await services.store.history(visit_id), services.clock.now()).runs


async def walked(services: OperatedServices) -> None:
    """Order a transcript, receive it after 40 s, and wait 5 s before the summary."""
    await services.submitted("v1")
    services.clock.advance(40 * SECONDS)
    services.transcriber.finish("job-0", Transcribed(spoken()))
    await collect.collect(services, "v1", 1, "job-0")
    services.clock.advance(5 * SECONDS)


async def test_each_stage_has_its_duration_tries_input_and_output(
    services: OperatedServices,
) -> None:
    await walked(services)
    await summarize.summarize(services, "v1", 1)
    submission, transcription, summary = await runs_of(services)
    assert [submission.stage, transcription.stage, summary.stage] == list(Stage)
    assert [run.seconds for run in (submission, transcription, summary)] == [0, 40, 5]
    assert {run.outcome for run in (submission, transcription, summary)} == {RunOutcome.DONE}
    assert (submission.tries, summary.tries) == (1, 1)
    assert submission.input_ref == "gs://recordings/visits/user-1/v1/audio.wav#1"
    assert submission.output_ref == transcription.input_ref == "memory/job-0"
    assert transcription.output_ref == summary.input_ref == "visits/v1/transcript"
    assert summary.output_ref == "visits/v1"


async def test_only_the_same_stage_input_has_the_same_hash(
    services: OperatedServices,
) -> None:
    await services.completed("v1")
    await services.completed("v2")
    first, again, other = (
        await runs_of(services),
        await runs_of(services),
        await runs_of(services, "v2"),
    )
    assert [run.input_hash for run in first] == [run.input_hash for run in again]
    assert None not in [run.input_hash for run in first]
    assert {run.input_hash for run in first}.isdisjoint(run.input_hash for run in other)


async def test_a_failed_stage_and_its_retry_are_two_runs_in_the_timeline(
    services: OperatedServices, olga: Operator
) -> None:
    await walked(services)
    services.summarizer.raises = [Permanent(ErrorCode.SUMMARY_INVALID)]
    services.fallback = NothingToSay()
    await summarize.summarize(services, "v1", 1)
    services.clock.advance(timedelta(hours=1))
    await dead_letters.retry(olga, "v1")
    services.clock.advance(7 * SECONDS)
    *_, failed, running = await runs_of(services)
    assert (failed.stage, failed.attempt, failed.outcome) == (Stage.SUMMARY, 1, RunOutcome.FAILED)
    assert failed.trouble == ("summary_invalid",)
    assert failed.seconds == 5  # the hour between failure and retry belongs to no stage
    assert (running.stage, running.attempt) == (Stage.SUMMARY, 2)
    assert (running.outcome, running.ended_at, running.seconds) == (RunOutcome.RUNNING, None, 7)


async def test_a_newer_recording_adds_a_second_run_of_each_stage(
    services: OperatedServices,
) -> None:
    await services.submitted("v1")
    services.clock.advance(10 * SECONDS)
    await accept.accept(services, services.upload("v1", generation=2))
    outcomes = [(run.stage, run.attempt, run.outcome) for run in await runs_of(services)]
    assert outcomes == [
        (Stage.SUBMISSION, 1, RunOutcome.DONE),
        (Stage.TRANSCRIPTION, 1, RunOutcome.STARTED_OVER),
        (Stage.SUBMISSION, 2, RunOutcome.DONE),
        (Stage.TRANSCRIPTION, 2, RunOutcome.RUNNING),
    ]


async def test_the_last_run_of_a_cancelled_visit_is_cancelled(services: OperatedServices) -> None:
    await services.submitted("v1")
    await commands.cancel(services, "v1")
    assert (await runs_of(services))[-1].outcome is RunOutcome.CANCELLED


async def test_the_timeline_contains_no_text_of_the_visit(services: OperatedServices) -> None:
    await services.completed("v1")
    visit = await commands.change(services, "v1", title=f"about {CANARY}")
    said = str(await services.store.transcript("v1"))
    assert CANARY in said  # otherwise the check below would prove nothing
    found = timeline(VisitLine.of(visit), await services.store.history("v1"), services.clock.now())
    assert CANARY not in str(found.to_stored())


async def test_the_timeline_shows_several_files_of_a_visit_as_successive_runs(
    services: OperatedServices,
) -> None:
    await services.submitted("v1")
    for number, content in ((2, b"not a recording"), (3, tone(seconds=2))):
        uploaded = another(number, "v1")
        services.audio.put(uploaded.audio, content)
        await accept.accept(services, uploaded)
    for order in range(2):
        attempt = (await services.get("v1")).attempt
        services.transcriber.finish(f"job-{order}", Transcribed(spoken()))
        await collect.collect(services, "v1", attempt, f"job-{order}")
        await minutes_pass(services, 3)
    outcomes = [(run.stage, run.outcome) for run in await runs_of(services)]
    assert outcomes == [
        (Stage.SUBMISSION, RunOutcome.DONE),
        (Stage.TRANSCRIPTION, RunOutcome.DONE),
        (Stage.SUBMISSION, RunOutcome.FAILED),
        (Stage.SUBMISSION, RunOutcome.DONE),
        (Stage.TRANSCRIPTION, RunOutcome.DONE),
        (Stage.SUMMARY, RunOutcome.DONE),
    ]
