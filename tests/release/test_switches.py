"""Each feature flag can be turned off and on again while visits are in progress."""

from datetime import timedelta

import pytest

from lumimd.domain.visit import ProcessingStatus, Status, Visit
from lumimd.pipeline import accept, collect, recover, summarize
from lumimd.pipeline.switches import RELEASE_OVER
from lumimd.policies.flags import Flags, Setting, Switch
from lumimd.policies.permits import Cap
from lumimd.policies.waiting import SWITCH_CHECK
from lumimd.ports.transcriber import Transcribed
from tests.release.either_release import carry, summarizing, the, transcribing
from tests.support.services import MemoryServices, transcript

OFF = Setting(on=False)


@pytest.fixture
def services() -> MemoryServices:
    return MemoryServices()


def switch(services: MemoryServices, name: Switch, setting: Setting) -> None:
    services.flags.stand = Flags(**{name.value: setting})


async def hours_pass(services: MemoryServices, hours: float) -> None:
    for _ in range(round(hours * 4)):
        services.clock.advance(timedelta(minutes=15))
        await recover.wake_due(services)
        while not services.tasks.waiting.empty():
            task = services.tasks.waiting.get_nowait()
            await summarize.summarize(services, task.visit_id, task.attempt)


def has_used_no_try(visit: Visit) -> bool:
    return visit.stage_tries == 0 and visit.wake_at is not None


async def test_with_processing_off_a_new_recording_waits_without_an_order(
    services: MemoryServices,
) -> None:
    switch(services, Switch.PROCESSING, OFF)
    await accept.accept(services, services.upload())
    await hours_pass(services, 24)
    visit = await the(services, "visit-1")
    assert visit.processing_status is ProcessingStatus.PENDING
    assert visit.audio is not None
    assert has_used_no_try(visit)
    assert services.transcriber.orders == []

    switch(services, Switch.PROCESSING, Setting())
    assert (await carry(services, "visit-1")).status is Status.COMPLETED
    assert len(services.transcriber.orders) == 1


async def test_with_processing_off_a_transcript_is_not_summarized(
    services: MemoryServices,
) -> None:
    await summarizing(services, "visit-1")
    switch(services, Switch.PROCESSING, OFF)
    await hours_pass(services, 30)  # longer than the limit of a model outage
    visit = await the(services, "visit-1")
    assert visit.processing_status is ProcessingStatus.SUMMARIZING
    assert has_used_no_try(visit)
    assert visit.source is None
    assert services.summarizer.calls == 0

    switch(services, Switch.PROCESSING, Setting())
    assert (await carry(services, "visit-1")).source == "model"


async def test_with_processing_off_ordered_transcripts_are_still_collected(
    services: MemoryServices,
) -> None:
    """The transcript is already paid for, and the provider would delete it after some days."""
    await transcribing(services, "visit-1")
    switch(services, Switch.PROCESSING, OFF)
    services.transcriber.finish("job-0", Transcribed(transcript()))
    await hours_pass(services, 1)
    assert await services.store.transcript("visit-1")
    assert (await the(services, "visit-1")).processing_status is ProcessingStatus.SUMMARIZING


async def test_with_processing_off_no_visit_expires(services: MemoryServices) -> None:
    switch(services, Switch.PROCESSING, OFF)
    await accept.accept(services, services.upload())
    services.clock.advance(services.policy.expires_after)
    await recover.wake_due(services)
    assert (await the(services, "visit-1")).status is Status.PROCESSING


async def test_with_processing_off_a_running_worker_keeps_its_lease_and_completes_the_visit(
    services: MemoryServices,
) -> None:
    await summarizing(services, "visit-1")
    leases: list[object] = []

    async def meanwhile() -> None:
        leases.append((await the(services, "visit-1")).lease)
        switch(services, Switch.PROCESSING, OFF)
        await summarize.summarize(services, "visit-1", 1)  # a second task
        leases.append((await the(services, "visit-1")).lease)

    by_model = services.summarizer.summarize

    async def slowly(heard: object) -> object:
        await meanwhile()
        return await by_model(heard)  # type: ignore[arg-type]

    services.summarizer.summarize = slowly  # type: ignore[assignment, method-assign]
    await summarize.summarize(services, "visit-1", 1)
    assert leases[0] == leases[1] is not None
    assert (await the(services, "visit-1")).status is Status.COMPLETED


async def test_a_visit_resumes_within_minutes_after_its_switch_is_on_again(
    services: MemoryServices,
) -> None:
    switch(services, Switch.PROCESSING, OFF)
    await accept.accept(services, services.upload())
    await hours_pass(services, 24)
    visit = await the(services, "visit-1")
    assert visit.wake_at is not None
    assert visit.wake_at <= services.clock.now() + SWITCH_CHECK + RELEASE_OVER


async def test_processing_for_a_percentage_of_users_lets_other_users_wait(
    services: MemoryServices,
) -> None:
    switch(services, Switch.PROCESSING, Setting(percent=25))
    users = [f"user-{number}" for number in range(40)]
    among = {u for u in users if services.flags.stand.is_on_for(Switch.PROCESSING, u)}
    for user in users:
        await accept.accept(services, services.upload(f"visit-of-{user}", user_id=user))
    assert {order.visit_id for order in services.transcriber.orders} == {
        f"visit-of-{user}" for user in among
    }
    assert 0 < len(among) < len(users)


async def test_with_processing_off_an_admitted_visit_returns_its_permit(
    services: MemoryServices,
) -> None:
    """The fair queue admits the visit while processing is off; the visit must return the permit."""
    services.cap = Cap(permits=1, for_batches=1)
    for number in (1, 2):
        await accept.accept(services, services.upload(f"visit-{number}"))
    assert (await the(services, "visit-2")).turn is not None
    switch(services, Switch.PROCESSING, OFF)
    services.transcriber.finish("job-0", Transcribed(transcript()))
    services.clock.advance(timedelta(minutes=1))
    await recover.wake_due(services)
    assert (await the(services, "visit-2")).turn is None
    assert not await services.gate.holders()

    switch(services, Switch.PROCESSING, Setting())
    assert (await carry(services, "visit-2")).status is Status.COMPLETED


async def test_with_the_model_off_a_visit_gets_a_provisional_rule_based_summary(
    services: MemoryServices,
) -> None:
    switch(services, Switch.SUMMARIES_BY_MODEL, OFF)
    await summarizing(services, "visit-1")
    await hours_pass(services, 1)
    visit = await the(services, "visit-1")
    assert (visit.source, visit.provisional) == ("rules", True)
    assert has_used_no_try(visit)
    assert services.summarizer.calls == 0
    assert len(services.tasks.created) == 2, "one task is held, one makes the provisional summary"

    switch(services, Switch.SUMMARIES_BY_MODEL, Setting())
    visit = await carry(services, "visit-1")
    assert (visit.status, visit.source, visit.provisional) == (Status.COMPLETED, "model", False)


async def test_users_outside_the_model_rollout_get_a_final_rule_based_summary(
    services: MemoryServices,
) -> None:
    """`scripts/release compare` compares users with the model to users with the rules."""
    switch(services, Switch.SUMMARIES_BY_MODEL, Setting(percent=0))
    await summarizing(services, "visit-1")
    visit = await carry(services, "visit-1")
    assert (visit.status, visit.source, visit.provisional) == (Status.COMPLETED, "rules", False)
    assert services.summarizer.calls == 0


async def test_the_model_switch_has_no_effect_without_a_model(services: MemoryServices) -> None:
    services.summarizer = services.fallback  # type: ignore[assignment]
    switch(services, Switch.SUMMARIES_BY_MODEL, OFF)
    await summarizing(services, "visit-1")
    assert (await carry(services, "visit-1")).status is Status.COMPLETED


async def test_with_webhooks_off_the_poller_collects_the_transcript(
    services: MemoryServices,
) -> None:
    await transcribing(services, "visit-1")
    services.transcriber.finish("job-0", Transcribed(transcript()))
    switch(services, Switch.WEBHOOKS, OFF)
    await collect.collect_in_time(services, "visit-1", 1, "job-0")
    assert (await the(services, "visit-1")).processing_status is ProcessingStatus.TRANSCRIBING
    services.clock.advance(timedelta(minutes=1))
    await recover.wake_due(services)
    assert (await the(services, "visit-1")).processing_status is ProcessingStatus.SUMMARIZING


async def test_provider_copies_are_kept_while_their_deletion_is_off(
    services: MemoryServices,
) -> None:
    switch(services, Switch.PROVIDER_COPIES_DELETED, OFF)
    await summarizing(services, "visit-1")
    assert [order.is_deleted for order in services.transcriber.orders] == [False]


async def test_provider_copies_are_deleted_by_default(services: MemoryServices) -> None:
    await summarizing(services, "visit-1")
    assert [order.is_deleted for order in services.transcriber.orders] == [True]
