"""An urgent visit really overtakes the others, and never keeps them waiting for good."""

import pytest

from lumimd.domain.errors import RefusalCode, Refused
from lumimd.domain.visit import ProcessingStatus
from lumimd.pipeline import collect, commands
from lumimd.policies.priorities import Lane, lane_of_turn
from lumimd.ports.transcriber import Transcribed
from tests.support.parts import MemoryParts, transcript
from tests.support.places import minute_passes, parts_with, provider_of, upload
from tests.support.visits import MINUTE, run_tasks, visit_of


async def ends(parts: MemoryParts) -> None:
    """The job that runs ends, and its webhook comes between two minutes: its place is free."""
    (job,) = provider_of(parts).running()
    visit_id = next(o.visit_id for o in provider_of(parts).orders if o.transcript_id == job)
    provider_of(parts).finish(job, Transcribed(transcript()))
    await collect.collect(parts, visit_id, 1, job)


async def test_a_visit_in_line_that_becomes_urgent_is_called_next() -> None:
    parts = parts_with(1)
    for n in range(30):
        await upload(parts, f"user{n:02d}-1")
    visit = await commands.prioritize(parts, "user29-1", urgent=True)
    assert visit.turn is None
    parts.clock.advance(MINUTE)
    await minute_passes(parts, finish=())
    in_line = await visit_of(parts, "user29-1")
    assert in_line.turn is not None
    assert lane_of_turn(in_line.turn) is Lane.URGENT
    await minute_passes(parts)
    assert provider_of(parts).ordered_for()[1] == "user29-1"


async def test_a_visit_that_is_ordinary_again_waits_with_the_others() -> None:
    parts = parts_with(1)
    for n in range(4):
        await upload(parts, f"user{n}-1", urgent=n == 3)
    await commands.prioritize(parts, "user3-1", urgent=False)
    for _ in range(6):
        await minute_passes(parts)
    assert provider_of(parts).ordered_for()[-1] == "user3-1"


async def test_asked_twice_it_keeps_its_turn() -> None:
    parts = parts_with(1)
    await upload(parts, "ann-1")
    await upload(parts, "bob-1", urgent=True)
    before = await visit_of(parts, "bob-1")
    after = await commands.prioritize(parts, "bob-1", urgent=True)
    assert (after.turn, after.wake_at) == (before.turn, before.wake_at)


@pytest.mark.parametrize("crowd", [1, 2])
async def test_urgent_visits_that_keep_coming_leave_live_ones_their_share(crowd: int) -> None:
    """A place becomes free between two minutes, and urgent visits come at that moment."""
    parts = parts_with(1)
    await upload(parts, "busy-0")
    for n in range(20):
        await upload(parts, f"live{n:02d}-1")
    for n in range(1, 100):
        await ends(parts)
        for each in range(crowd):
            await upload(parts, f"rush{n:02d}-{each}", urgent=True)
        await minute_passes(parts, finish=())
    ordered = provider_of(parts).ordered_for()
    live = [place for place, visit_id in enumerate(ordered) if visit_id.startswith("live")]
    assert len(live) >= 100 * 4 // 20 - 1, "four of twenty places"
    gaps = [later - earlier for earlier, later in zip([0, *live], live, strict=False)]
    assert max(gaps[:15]) <= 6


async def test_an_urgent_newcomer_takes_a_free_place_at_once_while_batches_wait() -> None:
    parts = parts_with(4)
    for n in range(6):
        await upload(parts, f"archive-{n}", batch_id="b")
    assert len(provider_of(parts).running()) == 3, "a place is kept free of batches"
    await upload(parts, "emergency-1", urgent=True)
    assert provider_of(parts).ordered_for()[-1] == "emergency-1"


async def test_a_visit_at_its_end_overtakes_nobody() -> None:
    parts = parts_with(1)
    await upload(parts, "ann-1")
    await minute_passes(parts)
    await run_tasks(parts)
    assert (await visit_of(parts, "ann-1")).processing_status is ProcessingStatus.COMPLETED
    with pytest.raises(Refused) as refused:
        await commands.prioritize(parts, "ann-1", urgent=True)
    assert refused.value.code is RefusalCode.ALREADY_OVER
