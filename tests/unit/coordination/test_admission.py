"""Test admission control with the real pipeline in memory and in virtual time."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from lumimd.domain import events as e
from lumimd.domain.codes import ErrorCode
from lumimd.domain.progress import Step
from lumimd.domain.visit import ProcessingStatus
from lumimd.pipeline import accept, collect, delete, recover
from lumimd.pipeline.save import save_event
from lumimd.ports.transcriber import Failed, Transcribed
from tests.support.examples import times
from tests.support.permits import DOWN, minute_passes, provider_of, services_with, upload
from tests.support.services import transcript
from tests.support.visits import MINUTE, visit_of


@pytest.mark.no_cover  # coverage tracing at least doubles the duration of this test
async def test_hundreds_of_visits_of_one_user_delay_another_user_by_at_most_one_round() -> None:
    """At no time does the provider have more jobs than the concurrency limit."""
    backlog = times(200, nightly=500)
    services = services_with(5)
    provider = provider_of(services)
    for n in range(backlog):
        await upload(services, f"ann-{n:03d}")
    assert len(provider.running()) == 5
    for _ in range(3):
        await minute_passes(services)
    await upload(services, "bob-1")
    assert (await visit_of(services, "bob-1")).current_step is Step.QUEUED
    await minute_passes(services)
    assert "bob-1" in provider.ordered_for()[20:25], "among the next called visits"
    for _ in range(backlog // 5):
        await minute_passes(services)
    assert provider.most_at_once == 5
    assert len(provider.orders) == backlog + 1
    assert len(set(provider.ordered_for())) == backlog + 1


async def test_two_users_get_permits_in_turn() -> None:
    services = services_with(1)
    for n in range(40):
        await upload(services, f"ann-{n:02d}")
    for _ in range(7):
        await minute_passes(services)
    for n in range(3):
        await upload(services, f"bob-{n}")
    for _ in range(6):
        await minute_passes(services)
    users = [visit_id.split("-")[0] for visit_id in provider_of(services).ordered_for()]
    assert users[8:] == ["ann", "bob"] * 3


async def test_no_permit_stays_free_while_a_visit_waits() -> None:
    services = services_with(25)
    provider = provider_of(services)
    for n in range(120):
        await upload(services, f"user{n % 7}-{n:03d}")
    while len(provider.orders) < 120:
        assert len(provider.running()) == min(25, 120)
        await minute_passes(services)
    assert provider.most_at_once == 25


async def test_concurrent_instances_stay_within_the_concurrency_limit() -> None:
    services = services_with(3)
    other = replace(services)
    other.__dict__ |= {"gate": services.gate, "deletions": services.deletions}
    uploads = [services.upload(f"user{n}-1", user_id=f"user{n}") for n in range(12)]
    both = (services, other)
    await asyncio.gather(*(accept.accept(both[n % 2], each) for n, each in enumerate(uploads)))
    provider = provider_of(services)
    for _ in range(10):
        for job in [*provider.running()]:
            provider.finish(job, Transcribed(transcript()))
        services.clock.advance(MINUTE)
        await asyncio.gather(recover.wake_due(services), recover.wake_due(other))
    assert provider.most_at_once == 3
    assert sorted(provider.ordered_for()) == sorted(f"user{n}-1" for n in range(12))


async def test_live_uploads_start_immediately_beside_a_large_batch() -> None:
    """Jobs never exceed the concurrency limit, also beside a batch."""
    services = services_with(8)
    provider = provider_of(services)
    for n in range(60):
        await upload(services, f"archive-{n:03d}", batch_id="b1")
    assert len(provider.running()) == 6
    for user in ("ann", "bob"):
        await upload(services, f"{user}-1")
        assert (await visit_of(services, f"{user}-1")).processing_status is (
            ProcessingStatus.TRANSCRIBING
        )
    for _ in range(12):
        await minute_passes(services)
    assert provider.most_at_once == 8
    assert len(provider.orders) == 62


async def test_an_urgent_visit_is_transcribed_before_500_waiting_visits() -> None:
    services = services_with(1)
    for n in range(500):
        await upload(services, f"user{n:03d}-1")
    await upload(services, "emergency-1", urgent=True)
    await minute_passes(services)
    assert provider_of(services).ordered_for()[1] == "emergency-1"


async def test_a_batch_visit_is_transcribed_under_constant_live_load() -> None:
    services = services_with(1)
    await upload(services, "busy-000")
    await upload(services, "archive-1", batch_id="b1")
    for n in range(1, 30):
        await upload(services, f"busy-{n:03d}")
        await upload(services, f"busy-{n:03d}b")
        await minute_passes(services)
    assert "archive-1" in provider_of(services).ordered_for()[:22]


async def test_a_new_visit_does_not_take_a_free_permit_before_a_waiting_visit() -> None:
    services = services_with(1)
    await upload(services, "ann-1")
    await upload(services, "bob-1")
    provider = provider_of(services)
    provider.finish("job-0", Transcribed(transcript()))
    await collect.collect(services, "ann-1", 1, "job-0")
    assert await services.gate.holders() == {}
    await upload(services, "cem-1")
    assert provider.ordered_for() == ["ann-1"]
    await minute_passes(services)
    assert provider.ordered_for() == ["ann-1", "bob-1"]


async def test_the_queue_position_of_a_waiting_visit_falls_to_one() -> None:
    services = services_with(1)
    for user in ("ann", "bob", "cem"):
        await upload(services, f"{user}-1")
    seen: list[int | None] = []
    for _ in range(3):
        seen.append(await services.admission.position(await visit_of(services, "cem-1")))
        await minute_passes(services)
    assert seen == [2, 1, None]


async def test_waiting_for_a_permit_uses_up_no_try_and_is_in_the_history() -> None:
    services = services_with(1)
    await upload(services, "ann-1")
    await upload(services, "bob-1")
    waiting = await visit_of(services, "bob-1")
    assert (waiting.stage_tries, waiting.possible_orders, waiting.lease) == (0, 0, None)
    assert waiting.processing_status is ProcessingStatus.PENDING
    assert waiting.wake_at == services.clock.now() + timedelta(hours=1)
    for _ in range(70):
        await minute_passes(services, finish=())
    assert (await visit_of(services, "bob-1")).turn == waiting.turn
    assert (await visit_of(services, "bob-1")).queued_at == waiting.queued_at
    await minute_passes(services)
    done = await visit_of(services, "bob-1")
    assert (done.turn, done.queued_at, done.possible_orders) == (None, waiting.queued_at, 1)
    assert done.processing_status is ProcessingStatus.TRANSCRIBING
    recorded = [(entry.event, entry.detail) for entry in await services.store.history("bob-1")]
    assert ("submission_queued", "in_line") in recorded


@pytest.mark.parametrize(
    ("outcome", "events"),
    [
        (Transcribed(transcript()), "transcript_stored"),
        (Transcribed(transcript([("A", "")])), "transcription_failed"),
        (Failed(ErrorCode.AUDIO_TOO_SHORT, is_transient=False), "transcription_failed"),
        (Failed(ErrorCode.TRANSCRIPTION_FAILED, is_transient=True), "transcription_restarted"),
    ],
)
async def test_the_permit_of_an_ended_job_is_released(
    outcome: Transcribed | Failed, events: str
) -> None:
    services = services_with(1)
    await upload(services, "ann-1")
    assert await services.gate.holders() == {"ann-1/1": 1}
    provider_of(services).finish("job-0", outcome)
    await collect.collect(services, "ann-1", 1, "job-0")
    assert events in [entry.event for entry in await services.store.history("ann-1")]
    assert await services.gate.holders() == {}


async def test_an_unreadable_recording_never_takes_a_permit() -> None:
    services = services_with(1)
    uploaded = services.upload("ann-1", user_id="ann")
    services.audio.put(uploaded.audio, b"no recording")
    await accept.accept(services, uploaded)
    assert (await visit_of(services, "ann-1")).processing_status is ProcessingStatus.FAILED
    assert services.gate.shards.writes == 0


async def test_a_permit_that_was_never_released_is_reclaimed_for_a_waiting_visit() -> None:
    services = services_with(1)
    await upload(services, "ann-1")
    provider_of(services).finish("job-0", Transcribed(transcript()))
    services.gate.shards.trouble = DOWN
    await collect.collect(services, "ann-1", 1, "job-0")
    services.gate.shards.trouble = None
    assert await services.gate.holders() == {"ann-1/1": 1}
    await upload(services, "bob-1")
    for _ in range(12):
        await minute_passes(services)
    assert provider_of(services).ordered_for() == ["ann-1", "bob-1"]


async def test_an_abandoned_job_keeps_its_permit_until_it_has_ended() -> None:
    """After a cancellation or a new upload the provider still works on the old job."""
    services = services_with(2)
    provider = provider_of(services)
    await upload(services, "ann-1")
    await upload(services, "bob-1")
    stored = await services.store.get("ann-1")
    assert stored is not None
    await save_event(services, stored, e.VisitCancelled(None))
    await accept.accept(services, services.upload("bob-1", generation=2, user_id="bob"))
    await upload(services, "cem-1")
    for _ in range(20):
        await minute_passes(services, finish=())
    assert provider.ordered_for() == ["ann-1", "bob-1"]
    provider.finish("job-0", Transcribed(transcript()))
    provider.finish("job-1", Transcribed(transcript()))
    await minute_passes(services, finish=())
    assert sorted(provider.ordered_for()[2:]) == ["bob-1", "cem-1"]
    assert provider.most_at_once == 2


async def test_a_visit_reuses_its_permit_after_a_crash() -> None:
    services = services_with(1)

    class Crashed(BaseException):
        """A simulated crash of the process."""

    async def crashes(*args: object, **more: object) -> str:
        raise Crashed

    ordering, provider_of(services).submit = provider_of(services).submit, crashes  # type: ignore[method-assign]
    with pytest.raises(Crashed):
        await upload(services, "ann-1")
    provider_of(services).submit = ordering  # type: ignore[method-assign]
    await upload(services, "bob-1")
    assert await services.gate.holders() == {"ann-1/1": 1}
    for _ in range(3):
        await minute_passes(services, finish=())
    assert provider_of(services).ordered_for() == ["ann-1"]
    await minute_passes(services)
    assert provider_of(services).ordered_for() == ["ann-1", "bob-1"]


async def test_no_job_is_submitted_while_the_semaphore_is_unavailable() -> None:
    services = services_with(1)
    services.gate.shards.trouble = DOWN
    await upload(services, "ann-1")
    held = await visit_of(services, "ann-1")
    assert (held.stage_tries, held.processing_status) == (0, ProcessingStatus.PENDING)
    assert provider_of(services).orders == []
    services.gate.shards.trouble = None
    for _ in range(4):
        await minute_passes(services, finish=())
    assert provider_of(services).ordered_for() == ["ann-1"]


async def test_a_deleted_visit_keeps_its_permit_until_the_provider_has_deleted_the_job() -> None:
    services = services_with(1)
    await upload(services, "ann-1")
    await upload(services, "bob-1")
    await delete.begin_deletion(services, "ann-1")
    for _ in range(15):
        await minute_passes(services, finish=())
    assert provider_of(services).ordered_for() == ["ann-1"], "its job is still running"
    for _ in range(15):
        await minute_passes(services)
    assert provider_of(services).ordered_for() == ["ann-1", "bob-1"]
