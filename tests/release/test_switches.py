"""Each switch of the list, switched off and on again while visits are under way."""

from datetime import timedelta

import pytest

from lumimd.domain.visit import ProcessingStatus, Status, Visit
from lumimd.pipeline import accept, collect, recover, summarize
from lumimd.pipeline.switches import LOOK_AGAIN, RELEASE_OVER
from lumimd.policies.flags import Flags, Setting, Switch
from lumimd.policies.permits import Cap
from lumimd.ports.transcriber import Transcribed
from tests.release.either_release import carry, summarizing, the, transcribing
from tests.support.parts import MemoryParts, transcript

OFF = Setting(on=False)


@pytest.fixture
def parts() -> MemoryParts:
    return MemoryParts()


def switch(parts: MemoryParts, name: Switch, setting: Setting) -> None:
    parts.flags.stand = Flags(**{name.value: setting})


async def hours_pass(parts: MemoryParts, hours: float) -> None:
    for _ in range(round(hours * 4)):
        parts.clock.advance(timedelta(minutes=15))
        await recover.wake_due(parts)
        while not parts.tasks.waiting.empty():
            task = parts.tasks.waiting.get_nowait()
            await summarize.summarize(parts, task.visit_id, task.attempt)


def has_used_up_nothing(visit: Visit) -> bool:
    return visit.stage_tries == 0 and visit.wake_at is not None


async def test_processing_off_lets_a_new_recording_wait(parts: MemoryParts) -> None:
    switch(parts, Switch.PROCESSING, OFF)
    await accept.accept(parts, parts.upload())
    await hours_pass(parts, 24)
    visit = await the(parts, "visit-1")
    assert visit.processing_status is ProcessingStatus.PENDING
    assert visit.audio is not None
    assert has_used_up_nothing(visit)
    assert parts.transcriber.orders == []

    switch(parts, Switch.PROCESSING, Setting())
    assert (await carry(parts, "visit-1")).status is Status.COMPLETED
    assert len(parts.transcriber.orders) == 1


async def test_processing_off_keeps_a_transcript_from_being_summarized(parts: MemoryParts) -> None:
    await summarizing(parts, "visit-1")
    switch(parts, Switch.PROCESSING, OFF)
    await hours_pass(parts, 30)  # longer than anybody waits for a model that is away
    visit = await the(parts, "visit-1")
    assert visit.processing_status is ProcessingStatus.SUMMARIZING
    assert has_used_up_nothing(visit)
    assert visit.source is None
    assert parts.summarizer.calls == 0

    switch(parts, Switch.PROCESSING, Setting())
    assert (await carry(parts, "visit-1")).source == "model"


async def test_processing_off_collects_what_was_ordered(parts: MemoryParts) -> None:
    """The provider forgets a transcript after some days, and it is paid for."""
    await transcribing(parts, "visit-1")
    switch(parts, Switch.PROCESSING, OFF)
    parts.transcriber.finish("job-0", Transcribed(transcript()))
    await hours_pass(parts, 1)
    assert await parts.store.transcript("visit-1")
    assert (await the(parts, "visit-1")).processing_status is ProcessingStatus.SUMMARIZING


async def test_processing_off_lets_nothing_expire(parts: MemoryParts) -> None:
    switch(parts, Switch.PROCESSING, OFF)
    await accept.accept(parts, parts.upload())
    parts.clock.advance(parts.policy.expires_after)
    await recover.wake_due(parts)
    assert (await the(parts, "visit-1")).status is Status.PROCESSING


async def test_processing_off_leaves_who_is_at_work_in_peace(parts: MemoryParts) -> None:
    await summarizing(parts, "visit-1")
    claims: list[object] = []

    async def meanwhile() -> None:
        claims.append((await the(parts, "visit-1")).claim)
        switch(parts, Switch.PROCESSING, OFF)
        await summarize.summarize(parts, "visit-1", 1)  # another task
        claims.append((await the(parts, "visit-1")).claim)

    summarize = parts.summarizer.summarize

    async def slowly(heard: object) -> object:
        await meanwhile()
        return await summarize(heard)  # type: ignore[arg-type]

    parts.summarizer.summarize = slowly  # type: ignore[assignment, method-assign]
    await summarize.summarize(parts, "visit-1", 1)
    assert claims[0] == claims[1] is not None
    assert (await the(parts, "visit-1")).status is Status.COMPLETED


async def test_a_visit_comes_back_within_minutes_of_its_switch(parts: MemoryParts) -> None:
    switch(parts, Switch.PROCESSING, OFF)
    await accept.accept(parts, parts.upload())
    await hours_pass(parts, 24)
    visit = await the(parts, "visit-1")
    assert visit.wake_at is not None
    assert visit.wake_at <= parts.clock.now() + LOOK_AGAIN + RELEASE_OVER


async def test_processing_for_some_users_leaves_the_others_waiting(parts: MemoryParts) -> None:
    switch(parts, Switch.PROCESSING, Setting(percent=25))
    users = [f"user-{number}" for number in range(40)]
    among = {u for u in users if parts.flags.stand.is_on_for(Switch.PROCESSING, u)}
    for user in users:
        await accept.accept(parts, parts.upload(f"visit-of-{user}", user_id=user))
    assert {order.visit_id for order in parts.transcriber.orders} == {
        f"visit-of-{user}" for user in among
    }
    assert 0 < len(among) < len(users)


async def test_who_is_switched_off_takes_no_place_from_the_others(parts: MemoryParts) -> None:
    """A place that a visit was called to from the line is given back."""
    parts.cap = Cap(places=1, for_batches=1)
    for number in (1, 2):
        await accept.accept(parts, parts.upload(f"visit-{number}"))
    assert (await the(parts, "visit-2")).turn is not None
    switch(parts, Switch.PROCESSING, OFF)
    parts.transcriber.finish("job-0", Transcribed(transcript()))
    parts.clock.advance(timedelta(minutes=1))
    await recover.wake_due(parts)
    assert (await the(parts, "visit-2")).turn is None
    assert not await parts.gate.holders()

    switch(parts, Switch.PROCESSING, Setting())
    assert (await carry(parts, "visit-2")).status is Status.COMPLETED


async def test_the_model_off_is_as_if_it_was_away(parts: MemoryParts) -> None:
    switch(parts, Switch.SUMMARIES_BY_MODEL, OFF)
    await summarizing(parts, "visit-1")
    await hours_pass(parts, 1)
    visit = await the(parts, "visit-1")
    assert (visit.source, visit.provisional) == ("rules", True)
    assert has_used_up_nothing(visit)
    assert parts.summarizer.calls == 0
    assert len(parts.tasks.created) == 2, "one to be held, one for the provisional summary"

    switch(parts, Switch.SUMMARIES_BY_MODEL, Setting())
    visit = await carry(parts, "visit-1")
    assert (visit.status, visit.source, visit.provisional) == (Status.COMPLETED, "model", False)


async def test_the_model_for_some_users_gives_the_others_the_rules(parts: MemoryParts) -> None:
    """The two arms of a comparison (`scripts/release compare`)."""
    switch(parts, Switch.SUMMARIES_BY_MODEL, Setting(percent=0))
    await summarizing(parts, "visit-1")
    visit = await carry(parts, "visit-1")
    assert (visit.status, visit.source, visit.provisional) == (Status.COMPLETED, "rules", False)
    assert parts.summarizer.calls == 0


async def test_without_a_model_there_is_none_to_switch_off(parts: MemoryParts) -> None:
    parts.summarizer = parts.fallback  # type: ignore[assignment]
    switch(parts, Switch.SUMMARIES_BY_MODEL, OFF)
    await summarizing(parts, "visit-1")
    assert (await carry(parts, "visit-1")).status is Status.COMPLETED


async def test_webhooks_off_leave_the_work_to_the_poller(parts: MemoryParts) -> None:
    await transcribing(parts, "visit-1")
    parts.transcriber.finish("job-0", Transcribed(transcript()))
    switch(parts, Switch.WEBHOOKS, OFF)
    await collect.collect_in_time(parts, "visit-1", 1, "job-0")
    assert (await the(parts, "visit-1")).processing_status is ProcessingStatus.TRANSCRIBING
    parts.clock.advance(timedelta(minutes=1))
    await recover.wake_due(parts)
    assert (await the(parts, "visit-1")).processing_status is ProcessingStatus.SUMMARIZING


async def test_provider_copies_stay_where_deleting_them_is_switched_off(parts: MemoryParts) -> None:
    switch(parts, Switch.PROVIDER_COPIES_DELETED, OFF)
    await summarizing(parts, "visit-1")
    assert [order.is_deleted for order in parts.transcriber.orders] == [False]


async def test_provider_copies_are_deleted_otherwise(parts: MemoryParts) -> None:
    await summarizing(parts, "visit-1")
    assert [order.is_deleted for order in parts.transcriber.orders] == [True]
