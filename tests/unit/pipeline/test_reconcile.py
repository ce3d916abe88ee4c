"""Bucket, provider and store are compared; what got lost is found."""

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


async def test_a_recording_whose_event_was_lost_is_processed_all_the_same(
    services: MemoryServices,
) -> None:
    put(services, "visit-1")
    services.clock.advance(26 * HOURS)
    assert await reconcile.reconcile(services) == {"recordings_without_a_visit": 1}
    assert len(services.transcriber.orders) == 1
    assert await reconcile.reconcile(services) == {}, "it has a visit now"


async def test_a_visit_that_still_waits_for_its_event_gets_its_recording(
    services: MemoryServices,
) -> None:
    await commands.create(services, visit_id="visit-1", user_id="user-1", consent=True)
    put(services, "visit-1")
    services.clock.advance(2 * HOURS)
    assert await reconcile.reconcile(services) == {"recordings_without_a_visit": 1}
    assert len(services.transcriber.orders) == 1


async def test_what_has_just_arrived_is_left_to_its_event(services: MemoryServices) -> None:
    put(services, "visit-1")
    services.clock.advance(timedelta(minutes=59))
    assert await reconcile.reconcile(services) == {}
    assert services.transcriber.orders == []


async def test_a_visit_whose_recording_is_gone_is_reported(services: MemoryServices) -> None:
    await transcribed(services)
    await run_tasks(services)
    await services.audio.erase("recordings", "visits/user-1/visit-1/")
    services.clock.advance(2 * HOURS)
    assert await reconcile.reconcile(services) == {"visits_without_their_recording": 1}


async def test_a_recording_that_retention_erased_is_not_missed(services: MemoryServices) -> None:
    put(services, "visit-1")
    await transcribed(services)
    await run_tasks(services)
    services.clock.advance(2 * HOURS)
    assert await reconcile.reconcile(services) == {}
    stored = await services.store.get("visit-1")
    assert stored
    await commands._command(  # as retention.py does
        services, "visit-1", lambda v, now: reconciliation_edit(now)
    )
    await services.audio.erase("recordings", "visits/user-1/visit-1/")
    assert await reconcile.reconcile(services) == {}


def reconciliation_edit(now: object) -> object:
    from lumimd.domain import events

    return events.VisitEdited(None, {"audio_erased_at": now})


async def test_a_copy_that_the_provider_kept_is_deleted_once_its_transcript_is_stored(
    services: MemoryServices,
) -> None:
    forgetting = services.transcriber.delete

    async def not_now(transcript_id: str) -> bool:
        from lumimd.domain.errors import ErrorCode, Transient

        raise Transient(ErrorCode.TRANSCRIPTION_UNAVAILABLE)

    services.transcriber.delete = not_now  # type: ignore[method-assign]
    put(services, "visit-1")
    await transcribed(services)
    services.transcriber.delete = forgetting  # type: ignore[method-assign]
    services.clock.advance(HOURS - timedelta(seconds=1))
    assert await reconcile.reconcile(services) == {}, "somebody may be looking for it"
    services.clock.advance(timedelta(seconds=1))
    assert await reconcile.reconcile(services) == {"provider_copies_deleted": 1}
    assert services.transcriber.orders[0].is_deleted


async def test_the_job_of_a_cancelled_visit_goes_when_nobody_looks_for_it_any_more(
    services: MemoryServices,
) -> None:
    put(services, "visit-1")
    await accept.accept(services, services.upload())
    await commands.cancel(services, "visit-1")
    services.transcriber.finish("job-0", Transcribed(transcript()))
    assert await reconcile.reconcile(services) == {}
    services.clock.advance(HOURS)
    assert await reconcile.reconcile(services) == {"provider_copies_deleted": 1}


async def test_the_job_of_a_deleted_visit_is_for_its_own_sweep_to_delete(
    services: MemoryServices,
) -> None:
    await accept.accept(services, services.upload())
    await commands.delete(services, "visit-1")
    services.transcriber.finish("job-0", Transcribed(transcript()))
    assert await reconcile.reconcile(services) == {}
    await settle(services)
    assert traces(services) == []


async def test_a_job_that_a_visit_still_waits_for_is_left_alone(services: MemoryServices) -> None:
    put(services, "visit-1")
    await accept.accept(services, services.upload())
    services.transcriber.finish("job-0", Transcribed(transcript()))
    assert await reconcile.reconcile(services) == {}
    services.clock.advance(timedelta(minutes=1))
    await recover.wake_due(services)
    await run_tasks(services)
    assert (await visit_of(services)).status is Status.COMPLETED


async def test_a_job_that_no_visit_knows_is_reported_and_deleted(services: MemoryServices) -> None:
    audio = upload("visit-9").audio
    url = await services.audio.signed_url(audio, HOURS)
    job = await services.transcriber.submit(url, visit_id="visit-9", attempt=1)
    services.transcriber.finish(job, Transcribed(transcript()))
    found = await reconcile.reconcile(services)
    assert found == {"jobs_without_a_visit": 1, "provider_copies_deleted": 1}


async def test_somebody_elses_jobs_are_not_ours_to_delete(services: MemoryServices) -> None:
    job = await services.transcriber.submit(
        "https://elsewhere.invalid/talk.mp3", visit_id="x", attempt=1
    )
    services.transcriber.finish(job, Transcribed(transcript()))
    assert await reconcile.reconcile(services) == {}
    assert not services.transcriber.orders[0].is_deleted


async def test_a_recording_of_a_deleted_visit_goes(services: MemoryServices) -> None:
    await transcribed(services)
    await commands.delete(services, "visit-1")
    await settle(services)
    services.audio.put(upload(generation=2).audio, tone(seconds=2), at=services.clock.now())
    services.clock.advance(2 * HOURS)
    assert await reconcile.reconcile(services) == {"recordings_of_deleted_visits": 1}
    await settle(services)
    assert traces(services) == []
    assert services.clock.now() > START
