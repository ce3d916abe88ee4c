"""Test the commands of owners and operators, and when commands are refused."""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest

from lumimd.domain import events as e
from lumimd.domain.codes import ErrorCode, RefusalCode
from lumimd.domain.commit import Conflict
from lumimd.domain.errors import Permanent, Refused
from lumimd.domain.state_machine import advance
from lumimd.domain.visit import ProcessingStatus, Status
from lumimd.pipeline import accept, commands, recover
from lumimd.policies import due
from lumimd.policies.deployment import Policy
from tests.support.services import START, MemoryServices, NothingToSay, transcribed, upload
from tests.support.visits import run_tasks, visit_of


@pytest.fixture
def services() -> MemoryServices:
    return MemoryServices()


async def failed(services: MemoryServices) -> None:
    await transcribed(services)
    services.fallback = NothingToSay()
    services.summarizer.raises = [Permanent(ErrorCode.SUMMARY_REFUSED)]
    await run_tasks(services)
    assert (await visit_of(services)).status is Status.PARTIAL


async def refused(command: object) -> tuple[RefusalCode, float | None]:
    with pytest.raises(Refused) as refusal:
        await command  # type: ignore[misc]
    return refusal.value.code, refusal.value.retry_after_s


# Retry


async def test_exactly_one_of_a_hundred_concurrent_retries_succeeds(
    services: MemoryServices,
) -> None:
    await failed(services)
    retries = (commands.retry(services, "visit-1") for _ in range(100))
    answers = await asyncio.gather(*retries, return_exceptions=True)
    outcomes = Counter(a.code if isinstance(a, Refused) else type(a).__name__ for a in answers)
    assert outcomes == {"Visit": 1, RefusalCode.STILL_PROCESSING: 99}
    assert (await visit_of(services)).retry_count == 1


async def test_a_second_retry_within_thirty_seconds_is_refused_with_a_retry_after(
    services: MemoryServices,
) -> None:
    await failed(services)
    services.summarizer.raises = [Permanent(ErrorCode.SUMMARY_REFUSED)]
    await commands.retry(services, "visit-1")
    await run_tasks(services)
    services.clock.advance(timedelta(seconds=29))
    refusal = await refused(commands.retry(services, "visit-1"))
    assert refusal == (RefusalCode.RETRY_TOO_SOON, 1.0)
    services.clock.advance(timedelta(seconds=1))
    assert (await commands.retry(services, "visit-1")).attempt == 3


async def test_a_permanent_failure_is_not_retried(services: MemoryServices) -> None:
    empty = upload(size_bytes=0)
    await accept.accept(services, empty)
    assert (await visit_of(services)).status is Status.FAILED
    assert await refused(commands.retry(services, "visit-1")) == (
        RefusalCode.NOTHING_TO_RETRY,
        None,
    )


async def test_a_completed_visit_is_not_retried(services: MemoryServices) -> None:
    await transcribed(services)
    await run_tasks(services)
    assert await refused(commands.retry(services, "visit-1")) == (
        RefusalCode.NOTHING_TO_RETRY,
        None,
    )


# Regenerate


async def test_a_regeneration_pays_no_new_transcript_and_keeps_ids_of_equal_items(
    services: MemoryServices,
) -> None:
    await transcribed(services)
    await run_tasks(services)
    before = await visit_of(services)
    again = await commands.regenerate(services, "visit-1")
    assert (again.processing_status, again.summary) == (
        ProcessingStatus.SUMMARIZING,
        before.summary,
    ), "the previous summary stays visible until then"
    await run_tasks(services)
    after = await visit_of(services)
    assert (after.status, after.attempt) == (Status.COMPLETED, before.attempt + 1)
    assert len(services.transcriber.orders) == 1
    actions = await services.store.actions("visit-1")
    assert {action.action_id for action in actions} == set(after.action_ids)
    assert after.action_ids == before.action_ids
    assert after.retired_action_ids == ()


async def test_a_failed_regeneration_keeps_the_previous_summary(services: MemoryServices) -> None:
    await transcribed(services)
    await run_tasks(services)
    before = await visit_of(services)
    services.summarizer.raises = [Permanent(ErrorCode.SUMMARY_REFUSED)]
    await commands.regenerate(services, "visit-1")
    await run_tasks(services)
    after = await visit_of(services)
    assert (after.status, after.summary) == (Status.COMPLETED, before.summary)
    assert after.processing_error
    assert after.processing_error.code is ErrorCode.SUMMARY_REFUSED
    assert await services.store.dead_letter("visit-1")


async def test_regeneration_without_a_transcript_is_refused(services: MemoryServices) -> None:
    await accept.accept(services, upload(size_bytes=0))
    refusal = await refused(commands.regenerate(services, "visit-1"))
    assert refusal == (RefusalCode.NO_TRANSCRIPT, None)


# Consent


async def test_processing_starts_only_after_consent(services: MemoryServices) -> None:
    services.policy = Policy(requires_consent=True)
    await accept.accept(services, services.upload())
    visit = await visit_of(services)
    assert visit.processing_error
    assert visit.processing_error.code is ErrorCode.CONSENT_MISSING
    assert services.transcriber.orders == []
    assert await services.store.dead_letter("visit-1") is None, "only its owner can resolve it"

    given = await commands.give_consent(services, "visit-1")
    assert given.consent
    await recover.wake_due(services)
    assert len(services.transcriber.orders) == 1


async def test_consent_may_come_with_the_upload_or_with_the_visit(services: MemoryServices) -> None:
    services.policy = Policy(requires_consent=True)
    with_upload = services.upload("visit-1").model_copy(update={"consented": True})
    await accept.accept(services, with_upload)
    await commands.create(services, visit_id="visit-2", user_id="user-1", consent=True)
    await accept.accept(services, services.upload("visit-2"))
    assert len(services.transcriber.orders) == 2


async def test_a_second_consent_keeps_the_time_of_the_first_consent(
    services: MemoryServices,
) -> None:
    await commands.create(services, visit_id="visit-1", user_id="user-1", consent=True)
    services.clock.advance(timedelta(minutes=1))
    assert (await commands.give_consent(services, "visit-1")).consent
    consent = (await visit_of(services)).consent
    assert consent
    assert consent.given_at == START


# The owner's fields


@pytest.mark.parametrize("ended", [False, True])
async def test_an_edit_changes_only_the_given_fields(services: MemoryServices, ended: bool) -> None:
    await transcribed(services)
    if ended:
        await run_tasks(services)
    before = await visit_of(services)
    services.clock.advance(timedelta(minutes=1))
    await commands.change(services, "visit-1", title="Knee", archived=True, tags=("a",))
    after = await visit_of(services)
    expected = {"title": "Knee", "archived": True, "tags": ("a",), "updated_at": after.updated_at}
    assert after == before.model_copy(update=expected)


async def test_an_edit_of_a_failed_visit_keeps_its_dead_letter(services: MemoryServices) -> None:
    await failed(services)
    letter = await services.store.dead_letter("visit-1")
    services.clock.advance(timedelta(minutes=1))
    await commands.change(services, "visit-1", archived=True)
    assert await services.store.dead_letter("visit-1") == letter


async def test_only_the_owners_fields_can_be_edited(services: MemoryServices) -> None:
    await transcribed(services)
    with pytest.raises(TypeError):
        await commands.change(services, "visit-1", status="completed")


# Create, cancel


async def test_creating_an_existing_visit_raises_conflict(services: MemoryServices) -> None:
    await commands.create(services, visit_id="visit-1", user_id="user-1", consent=True)
    with pytest.raises(Conflict):
        await commands.create(services, visit_id="visit-1", user_id="user-2", consent=True)


async def test_cancelling_a_cancelled_visit_is_refused(services: MemoryServices) -> None:
    await transcribed(services)
    assert (await commands.cancel(services, "visit-1")).status is Status.CANCELLED
    assert await refused(commands.cancel(services, "visit-1")) == (RefusalCode.ALREADY_OVER, None)


async def test_commands_on_an_unknown_visit_are_refused(services: MemoryServices) -> None:
    for command in (commands.retry, commands.regenerate, commands.cancel, commands.delete):
        assert await refused(command(services, "unknown")) == (RefusalCode.VISIT_NOT_FOUND, None)


# The retry count


async def test_a_regeneration_and_a_new_recording_do_not_increase_the_retry_count(
    services: MemoryServices,
) -> None:
    await failed(services)
    await commands.retry(services, "visit-1")
    await run_tasks(services)
    assert (await visit_of(services)).retry_count == 1
    services.clock.advance(due.RETRY_GAP)
    await commands.regenerate(services, "visit-1")
    await run_tasks(services)
    await accept.accept(services, services.upload(generation=2))
    visit = await visit_of(services)
    assert visit.attempt > 3
    assert visit.retry_count == 1, "a regeneration and a new recording do not count"


@pytest.mark.parametrize(
    ("status", "event", "counted"),
    [
        (ProcessingStatus.FAILED, e.SubmissionRetried(1), 1),
        (ProcessingStatus.FAILED, e.SummaryRetried(1), 1),
        (ProcessingStatus.FAILED, e.ConsentGivenLate(1), 0),
        (ProcessingStatus.COMPLETED, e.SummaryRegenerated(1), 0),
        (ProcessingStatus.TRANSCRIBING, e.TranscriptionRestarted(1, START), 0),
        (ProcessingStatus.TRANSCRIBING, e.TranscriptionGivenUp(1, START), 0),
        (ProcessingStatus.SUMMARIZING, e.SummaryRequested(1), 0),
    ],
)
async def test_only_retry_events_increase_the_retry_count(
    services: MemoryServices, status: ProcessingStatus, event: e.Event, counted: int
) -> None:
    await transcribed(services)
    visit = (await visit_of(services)).model_copy(update={"processing_status": status})
    after = advance(visit, event, services.clock.now())
    assert after.changed
    assert after.visit.retry_count == counted
