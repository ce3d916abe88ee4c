"""Bucket, provider and store are compared; what got lost is found."""

from datetime import timedelta

import pytest

from lumimd.domain.visit import Status
from lumimd.pipeline import accept, commands, reconcile, recover
from lumimd.policies.deployment import Policy
from lumimd.ports.transcriber import Transcribed
from tests.support.parts import START, MemoryParts, tone, transcript, upload
from tests.unit.test_commands import run_tasks, transcribed, visit_of
from tests.unit.test_deletion import settle, traces

HOURS = timedelta(hours=1)


@pytest.fixture
def parts() -> MemoryParts:
    return MemoryParts(policy=Policy(bucket="recordings", requires_consent=False))


def put(parts: MemoryParts, visit_id: str) -> None:
    parts.audio.put(upload(visit_id).audio, tone(seconds=2), at=parts.clock.now())


async def test_a_recording_whose_event_was_lost_is_processed_all_the_same(
    parts: MemoryParts,
) -> None:
    put(parts, "visit-1")
    parts.clock.advance(26 * HOURS)
    assert await reconcile.reconcile(parts) == {"recordings_without_a_visit": 1}
    assert len(parts.transcriber.orders) == 1
    assert await reconcile.reconcile(parts) == {}, "it has a visit now"


async def test_a_visit_that_still_waits_for_its_event_gets_its_recording(
    parts: MemoryParts,
) -> None:
    await commands.create(parts, visit_id="visit-1", user_id="user-1", consent=True)
    put(parts, "visit-1")
    parts.clock.advance(2 * HOURS)
    assert await reconcile.reconcile(parts) == {"recordings_without_a_visit": 1}
    assert len(parts.transcriber.orders) == 1


async def test_what_has_just_arrived_is_left_to_its_event(parts: MemoryParts) -> None:
    put(parts, "visit-1")
    parts.clock.advance(timedelta(minutes=59))
    assert await reconcile.reconcile(parts) == {}
    assert parts.transcriber.orders == []


async def test_a_visit_whose_recording_is_gone_is_reported(parts: MemoryParts) -> None:
    await transcribed(parts)
    await run_tasks(parts)
    await parts.audio.erase("recordings", "visits/user-1/visit-1/")
    parts.clock.advance(2 * HOURS)
    assert await reconcile.reconcile(parts) == {"visits_without_their_recording": 1}


async def test_a_recording_that_retention_erased_is_not_missed(parts: MemoryParts) -> None:
    put(parts, "visit-1")
    await transcribed(parts)
    await run_tasks(parts)
    parts.clock.advance(2 * HOURS)
    assert await reconcile.reconcile(parts) == {}
    stored = await parts.store.get("visit-1")
    assert stored
    await commands._command(  # as retention.py does
        parts, "visit-1", lambda v, now: reconciliation_edit(now)
    )
    await parts.audio.erase("recordings", "visits/user-1/visit-1/")
    assert await reconcile.reconcile(parts) == {}


def reconciliation_edit(now: object) -> object:
    from lumimd.domain import events

    return events.VisitEdited(None, {"audio_erased_at": now})


async def test_a_copy_that_the_provider_kept_is_deleted_once_its_transcript_is_stored(
    parts: MemoryParts,
) -> None:
    forgetting = parts.transcriber.delete

    async def not_now(transcript_id: str) -> bool:
        from lumimd.domain.errors import ErrorCode, Transient

        raise Transient(ErrorCode.TRANSCRIPTION_UNAVAILABLE)

    parts.transcriber.delete = not_now  # type: ignore[method-assign]
    put(parts, "visit-1")
    await transcribed(parts)
    parts.transcriber.delete = forgetting  # type: ignore[method-assign]
    parts.clock.advance(HOURS - timedelta(seconds=1))
    assert await reconcile.reconcile(parts) == {}, "somebody may be looking for it"
    parts.clock.advance(timedelta(seconds=1))
    assert await reconcile.reconcile(parts) == {"provider_copies_deleted": 1}
    assert parts.transcriber.orders[0].is_deleted


async def test_the_job_of_a_cancelled_visit_goes_when_nobody_looks_for_it_any_more(
    parts: MemoryParts,
) -> None:
    put(parts, "visit-1")
    await accept.accept(parts, parts.upload())
    await commands.cancel(parts, "visit-1")
    parts.transcriber.finish("job-0", Transcribed(transcript()))
    assert await reconcile.reconcile(parts) == {}
    parts.clock.advance(HOURS)
    assert await reconcile.reconcile(parts) == {"provider_copies_deleted": 1}


async def test_the_job_of_a_deleted_visit_is_for_its_own_sweep_to_delete(
    parts: MemoryParts,
) -> None:
    await accept.accept(parts, parts.upload())
    await commands.delete(parts, "visit-1")
    parts.transcriber.finish("job-0", Transcribed(transcript()))
    assert await reconcile.reconcile(parts) == {}
    await settle(parts)
    assert traces(parts) == []


async def test_a_job_that_a_visit_still_waits_for_is_left_alone(parts: MemoryParts) -> None:
    put(parts, "visit-1")
    await accept.accept(parts, parts.upload())
    parts.transcriber.finish("job-0", Transcribed(transcript()))
    assert await reconcile.reconcile(parts) == {}
    parts.clock.advance(timedelta(minutes=1))
    await recover.wake_due(parts)
    await run_tasks(parts)
    assert (await visit_of(parts)).status is Status.COMPLETED


async def test_a_job_that_no_visit_knows_is_reported_and_deleted(parts: MemoryParts) -> None:
    audio = upload("visit-9").audio
    url = await parts.audio.signed_url(audio, HOURS)
    job = await parts.transcriber.submit(url, visit_id="visit-9", attempt=1)
    parts.transcriber.finish(job, Transcribed(transcript()))
    found = await reconcile.reconcile(parts)
    assert found == {"jobs_without_a_visit": 1, "provider_copies_deleted": 1}


async def test_somebody_elses_jobs_are_not_ours_to_delete(parts: MemoryParts) -> None:
    job = await parts.transcriber.submit(
        "https://elsewhere.invalid/talk.mp3", visit_id="x", attempt=1
    )
    parts.transcriber.finish(job, Transcribed(transcript()))
    assert await reconcile.reconcile(parts) == {}
    assert not parts.transcriber.orders[0].is_deleted


async def test_a_recording_of_a_deleted_visit_goes(parts: MemoryParts) -> None:
    await transcribed(parts)
    await commands.delete(parts, "visit-1")
    await settle(parts)
    parts.audio.put(upload(generation=2).audio, tone(seconds=2), at=parts.clock.now())
    parts.clock.advance(2 * HOURS)
    assert await reconcile.reconcile(parts) == {"recordings_of_deleted_visits": 1}
    await settle(parts)
    assert traces(parts) == []
    assert parts.clock.now() > START
