"""Test that urgent visits overtake other visits but never starve them."""

import pytest

from lumimd.domain.codes import RefusalCode
from lumimd.domain.errors import Refused
from lumimd.domain.visit import ProcessingStatus
from lumimd.pipeline import collect, commands
from lumimd.policies.priorities import Priority, priority_of_turn
from lumimd.ports.transcriber import Transcribed
from tests.support.permits import minute_passes, provider_of, services_with, upload
from tests.support.services import MemoryServices, transcript
from tests.support.visits import MINUTE, run_tasks, visit_of


async def ends(services: MemoryServices) -> None:
    """End the running job and deliver its webhook, so that the permit is free at once."""
    (job,) = provider_of(services).running()
    visit_id = next(o.visit_id for o in provider_of(services).orders if o.transcript_id == job)
    provider_of(services).finish(job, Transcribed(transcript()))
    await collect.collect(services, visit_id, 1, job)


async def test_a_queued_visit_that_becomes_urgent_is_transcribed_next() -> None:
    services = services_with(1)
    for n in range(30):
        await upload(services, f"user{n:02d}-1")
    visit = await commands.prioritize(services, "user29-1", urgent=True)
    assert visit.turn is None
    services.clock.advance(MINUTE)
    await minute_passes(services, finish=())
    in_line = await visit_of(services, "user29-1")
    assert in_line.turn is not None
    assert priority_of_turn(in_line.turn) is Priority.URGENT
    await minute_passes(services)
    assert provider_of(services).ordered_for()[1] == "user29-1"


async def test_a_visit_that_is_no_longer_urgent_waits_behind_earlier_visits() -> None:
    services = services_with(1)
    for n in range(4):
        await upload(services, f"user{n}-1", urgent=n == 3)
    await commands.prioritize(services, "user3-1", urgent=False)
    for _ in range(6):
        await minute_passes(services)
    assert provider_of(services).ordered_for()[-1] == "user3-1"


async def test_marking_an_urgent_visit_as_urgent_keeps_its_turn() -> None:
    services = services_with(1)
    await upload(services, "ann-1")
    await upload(services, "bob-1", urgent=True)
    before = await visit_of(services, "bob-1")
    after = await commands.prioritize(services, "bob-1", urgent=True)
    assert (after.turn, after.wake_at) == (before.turn, before.wake_at)


@pytest.mark.parametrize("crowd", [1, 2])
async def test_a_stream_of_urgent_visits_leaves_live_visits_their_share(crowd: int) -> None:
    """Urgent visits arrive whenever a permit becomes free between two scheduled runs."""
    services = services_with(1)
    await upload(services, "busy-0")
    for n in range(20):
        await upload(services, f"live{n:02d}-1")
    for n in range(1, 100):
        await ends(services)
        for each in range(crowd):
            await upload(services, f"rush{n:02d}-{each}", urgent=True)
        await minute_passes(services, finish=())
    ordered = provider_of(services).ordered_for()
    live = [permit for permit, visit_id in enumerate(ordered) if visit_id.startswith("live")]
    assert len(live) >= 100 * 4 // 20 - 1, "four of twenty permits"
    gaps = [later - earlier for earlier, later in zip([0, *live], live, strict=False)]
    assert max(gaps[:15]) <= 6


async def test_a_new_urgent_visit_takes_a_permit_immediately_while_batches_wait() -> None:
    services = services_with(4)
    for n in range(6):
        await upload(services, f"archive-{n}", batch_id="b")
    assert len(provider_of(services).running()) == 3, "a permit is kept free of batches"
    await upload(services, "emergency-1", urgent=True)
    assert provider_of(services).ordered_for()[-1] == "emergency-1"


async def test_a_visit_that_has_ended_cannot_become_urgent() -> None:
    services = services_with(1)
    await upload(services, "ann-1")
    await minute_passes(services)
    await run_tasks(services)
    assert (await visit_of(services, "ann-1")).processing_status is ProcessingStatus.COMPLETED
    with pytest.raises(Refused) as refused:
        await commands.prioritize(services, "ann-1", urgent=True)
    assert refused.value.code is RefusalCode.ALREADY_OVER
