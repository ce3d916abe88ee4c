"""Test that reconciliation compares bucket, provider and store, and repairs losses."""

from datetime import timedelta

import pytest

from lumimd.domain.visit import Status
from lumimd.pipeline import accept, commands, reconcile, recover
from lumimd.policies.deployment import Policy
from lumimd.ports.transcriber import Transcribed
from tests.support.services import START, MemoryServices, tone, transcript, upload
from tests.unit.pipeline.test_commands import run_tasks, transcribed, visit_of
from tests.unit.pipeline.test_delete import settle, traces

HOURS = timedelta(hours=1)


@pytest.fixture
def services() -> MemoryServices:
    return MemoryServices(policy=Policy(bucket="recordings", requires_consent=False))


def put(services: MemoryServices, visit_id: str) -> None:
    services.audio.put(upload(visit_id).audio, tone(seconds=2), at=services.clock.now())


async def test_a_recording_with_a_lost_upload_event_is_processed(services: MemoryServices) -> None:
    put(services, "visit-1")
    services.clock.advance(26 * HOURS)
    assert await reconcile.reconcile(services) == {"recordings_without_a_visit": 1}
    assert len(services.transcriber.orders) == 1
    assert await reconcile.reconcile(services) == {}, "it has a visit now"


async def test_the_recording_of_an_existing_visit_is_processed_despite_a_lost_event(
    services: MemoryServices,
) -> None:
    await commands.create(services, visit_id="visit-1", user_id="user-1", consent=True)
    put(services, "visit-1")
    services.clock.advance(2 * HOURS)
    assert await reconcile.reconcile(services) == {"recordings_without_a_visit": 1}
    assert len(services.transcriber.orders) == 1


async def test_reconciliation_ignores_a_recording_that_is_younger_than_an_hour(
    services: MemoryServices,
) -> None:
    put(services, "visit-1")
    services.clock.advance(timedelta(minutes=59))
    assert await reconcile.reconcile(services) == {}
    assert services.transcriber.orders == []


async def test_reconciliation_reports_a_visit_whose_recording_is_missing(
    services: MemoryServices,
) -> None:
    await transcribed(services)
    await run_tasks(services)
    await services.audio.erase("recordings", "visits/user-1/visit-1/")
    services.clock.advance(2 * HOURS)
    assert await reconcile.reconcile(services) == {"visits_without_their_recording": 1}


async def test_reconciliation_does_not_report_a_recording_erased_by_retention(
    services: MemoryServices,
) -> None:
    put(services, "visit-1")
    await transcribed(services)
    await run_tasks(services)
    services.clock.advance(2 * HOURS)
    assert await reconcile.reconcile(services) == {}
    stored = await services.store.get("visit-1")
    assert stored
    await commands._command(  # the same change as in pipeline/retain.py
        services, "visit-1", lambda v, now: recording_erased(now)
    )
    await services.audio.erase("recordings", "visits/user-1/visit-1/")
    assert await reconcile.reconcile(services) == {}


def recording_erased(now: object) -> object:
    from lumimd.domain import events

    return events.VisitEdited(None, {"audio_erased_at": now})


async def test_reconciliation_deletes_a_provider_copy_an_hour_after_its_transcript(
    services: MemoryServices,
) -> None:
    delete = services.transcriber.delete

    async def unavailable(transcript_id: str) -> bool:
        from lumimd.domain.codes import ErrorCode
        from lumimd.domain.errors import Transient

        raise Transient(ErrorCode.TRANSCRIPTION_UNAVAILABLE)

    services.transcriber.delete = unavailable  # type: ignore[method-assign]
    put(services, "visit-1")
    await transcribed(services)
    services.transcriber.delete = delete  # type: ignore[method-assign]
    services.clock.advance(HOURS - timedelta(seconds=1))
    assert await reconcile.reconcile(services) == {}, "a worker may still look for it"
    services.clock.advance(timedelta(seconds=1))
    assert await reconcile.reconcile(services) == {"provider_copies_deleted": 1}
    assert services.transcriber.orders[0].is_deleted


async def test_the_job_of_a_cancelled_visit_is_deleted_after_an_hour(
    services: MemoryServices,
) -> None:
    put(services, "visit-1")
    await accept.accept(services, services.upload())
    await commands.cancel(services, "visit-1")
    services.transcriber.finish("job-0", Transcribed(transcript()))
    assert await reconcile.reconcile(services) == {}
    services.clock.advance(HOURS)
    assert await reconcile.reconcile(services) == {"provider_copies_deleted": 1}


async def test_the_job_of_a_deleted_visit_is_deleted_by_its_sweep_not_by_reconciliation(
    services: MemoryServices,
) -> None:
    await accept.accept(services, services.upload())
    await commands.delete(services, "visit-1")
    services.transcriber.finish("job-0", Transcribed(transcript()))
    assert await reconcile.reconcile(services) == {}
    await settle(services)
    assert traces(services) == []


async def test_reconciliation_keeps_a_finished_job_that_its_visit_has_not_collected(
    services: MemoryServices,
) -> None:
    put(services, "visit-1")
    await accept.accept(services, services.upload())
    services.transcriber.finish("job-0", Transcribed(transcript()))
    assert await reconcile.reconcile(services) == {}
    services.clock.advance(timedelta(minutes=1))
    await recover.wake_due(services)
    await run_tasks(services)
    assert (await visit_of(services)).status is Status.COMPLETED


async def test_a_job_without_a_visit_is_reported_and_deleted(services: MemoryServices) -> None:
    audio = upload("visit-9").audio
    url = await services.audio.signed_url(audio, HOURS)
    job = await services.transcriber.submit(url, visit_id="visit-9", attempt=1)
    services.transcriber.finish(job, Transcribed(transcript()))
    found = await reconcile.reconcile(services)
    assert found == {"jobs_without_a_visit": 1, "provider_copies_deleted": 1}


async def test_reconciliation_does_not_delete_jobs_of_other_applications(
    services: MemoryServices,
) -> None:
    job = await services.transcriber.submit(
        "https://elsewhere.invalid/talk.mp3", visit_id="x", attempt=1
    )
    services.transcriber.finish(job, Transcribed(transcript()))
    assert await reconcile.reconcile(services) == {}
    assert not services.transcriber.orders[0].is_deleted


async def test_reconciliation_erases_a_recording_of_a_deleted_visit(
    services: MemoryServices,
) -> None:
    await transcribed(services)
    await commands.delete(services, "visit-1")
    await settle(services)
    services.audio.put(upload(generation=2).audio, tone(seconds=2), at=services.clock.now())
    services.clock.advance(2 * HOURS)
    assert await reconcile.reconcile(services) == {"recordings_of_deleted_visits": 1}
    await settle(services)
    assert traces(services) == []
    assert services.clock.now() > START
