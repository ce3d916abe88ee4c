"""Test that retention deletes data at the end of its period, in virtual time."""

from dataclasses import replace
from datetime import timedelta

import pytest

from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import Held
from lumimd.domain.visit import ProcessingStatus, Status
from lumimd.pipeline import accept, commands, recover, retain
from lumimd.policies.deployment import Policy
from tests.support.services import MemoryServices
from tests.unit.pipeline.test_commands import run_tasks, transcribed, visit_of
from tests.unit.pipeline.test_delete import settle

DAY = timedelta(days=1)


@pytest.fixture
def services() -> MemoryServices:
    return MemoryServices()


async def test_a_recording_is_erased_after_thirty_days_and_its_transcript_stays(
    services: MemoryServices,
) -> None:
    await transcribed(services)
    await run_tasks(services)
    services.clock.advance(30 * DAY - timedelta(seconds=1))
    assert (await retain.enforce(services))["recordings_erased"] == 0
    services.clock.advance(DAY)
    assert (await retain.enforce(services))["recordings_erased"] == 1
    assert not services.audio._content
    visit = await visit_of(services)
    assert (visit.status, visit.audio_erased_at) == (Status.COMPLETED, services.clock.now())
    assert await services.store.transcript("visit-1")
    assert (await retain.enforce(services))["recordings_erased"] == 0, "it is erased once"


async def test_retention_of_an_old_recording_does_not_erase_a_new_recording(
    services: MemoryServices,
) -> None:
    """The upload event of the new recording arrives after the retention run."""
    await transcribed(services)
    await run_tasks(services)
    services.clock.advance(31 * DAY)
    uploaded = services.upload(generation=2)
    again = uploaded.model_copy(update={"announced_at": services.clock.now()})
    await retain.enforce(services)
    await accept.accept(services, again)
    visit = await visit_of(services)
    assert (visit.attempt, visit.processing_status) == (2, ProcessingStatus.TRANSCRIBING)


async def test_visits_are_deleted_only_with_a_retention_period_for_transcripts(
    services: MemoryServices,
) -> None:
    await transcribed(services)
    await run_tasks(services)
    services.clock.advance(400 * DAY)
    await retain.enforce(services)
    assert await services.store.transcript("visit-1")
    services.policy = replace(services.policy, transcript_retention=365 * DAY)
    assert (await retain.enforce(services))["deleted"] == 1
    await settle(services)
    assert list(services.store.documents()) == ["deletions/visit-1"]


async def test_retention_keeps_a_visit_under_legal_hold(services: MemoryServices) -> None:
    services.policy = Policy(requires_consent=False, transcript_retention=DAY)
    await transcribed(services)
    await run_tasks(services)
    await commands.hold(services, "visit-1", legally=True)
    services.clock.advance(400 * DAY)
    done = await retain.enforce(services)
    assert (done["deleted"], done["recordings_erased"]) == (0, 0)
    assert services.audio._content


async def test_a_visit_without_a_recording_expires_after_a_week(services: MemoryServices) -> None:
    await commands.create(services, visit_id="visit-1", user_id="user-1", consent=True)
    services.clock.advance(7 * DAY - timedelta(seconds=1))
    assert (await retain.enforce(services))["expired"] == 0
    services.clock.advance(timedelta(seconds=1))
    assert (await retain.enforce(services))["expired"] == 1
    visit = await visit_of(services)
    assert visit.status is Status.EXPIRED
    assert await services.store.dead_letter("visit-1") is None


async def test_a_visit_that_waits_for_a_dependency_expires_after_a_week(
    services: MemoryServices,
) -> None:
    async def held(*_: object, **__: object) -> str:
        raise Held(ErrorCode.TRANSCRIPTION_UNAVAILABLE, retry_after_s=60)

    services.transcriber.submit = held  # type: ignore[method-assign]
    await accept.accept(services, services.upload())
    for _ in range(8 * 24):
        await recover.wake_due(services)
        services.clock.advance(timedelta(hours=1))
    visit = await visit_of(services)
    assert (visit.status, visit.wake_at) == (Status.EXPIRED, None)
    assert await services.store.dead_letter("visit-1"), "an operator must check the cause"


async def test_a_failed_erasure_does_not_prevent_the_expiry_of_another_visit(
    services: MemoryServices,
) -> None:
    await transcribed(services)
    await run_tasks(services)
    await commands.create(services, visit_id="visit-2", user_id="user-1", consent=True)
    services.clock.advance(31 * DAY)

    async def broken(bucket: str, folder: str, up_to: int | None = None) -> int:
        raise ValueError

    services.audio.erase = broken  # type: ignore[method-assign]
    with pytest.raises(ExceptionGroup):
        await retain.enforce(services)
    stored = await services.store.get("visit-2")
    assert stored
    assert stored.visit.status is Status.EXPIRED
