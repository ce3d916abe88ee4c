"""Saving under contention: races are decided by the table, and nothing paid for is repeated."""

import asyncio
from datetime import timedelta

import pytest

from lumimd.adapters.memory import MemoryVisitStore
from lumimd.domain.commit import Commit, Conflict, Stored
from lumimd.domain.errors import ErrorCode, TimedOut, Transient
from lumimd.domain.events import SummaryClaimed, TranscriptionPolled
from lumimd.domain.visit import ProcessingStatus, Status
from lumimd.pipeline import accept, collect, recover, summarize
from lumimd.pipeline.compare_and_set import CONFLICTS
from lumimd.pipeline.lease import take_lease, within_lease
from lumimd.pipeline.save import save_event
from lumimd.policies.lease import LEASE_GRACE, SUMMARY
from lumimd.ports.transcriber import Transcribed
from tests.support.services import MemoryServices, transcript

CODE = ErrorCode.SUMMARY_UNAVAILABLE


class ContestedStore(MemoryVisitStore):
    """Somebody else is quicker `lost_races` times; the next `lost_answers` saves look lost."""

    def __init__(self) -> None:
        super().__init__()
        self.lost_races = 0
        self.lost_answers = 0
        self.saves = 0

    def delete_everything(self) -> None:
        """The owner has deleted the account."""
        self.raw.clear()

    async def create(self, commit: Commit) -> Stored:
        if self.lost_races:
            self.lost_races -= 1
            raise Conflict
        return await super().create(commit)

    async def save(self, read: Stored, commit: Commit) -> Stored:
        self.saves += 1
        if self.lost_races:
            self.lost_races -= 1
            await self._somebody_else(commit.visit.visit_id)
        saved = await super().save(read, commit)
        if self.lost_answers:
            self.lost_answers -= 1
            raise Conflict  # what the repeated write finds, after the answer to the first got lost
        return saved

    async def _somebody_else(self, visit_id: str) -> None:
        stored = await self.get(visit_id)
        if stored is not None:
            renamed = stored.visit.model_copy(update={"title": f"Visit {self.saves}"})
            await super().save(stored, Commit(renamed))


@pytest.fixture
def store() -> ContestedStore:
    return ContestedStore()


@pytest.fixture
def services(store: ContestedStore) -> MemoryServices:
    return MemoryServices(store=store)


async def transcribing(services: MemoryServices) -> Stored:
    await accept.accept(services, services.upload())
    return await present(services)


async def summarizing(services: MemoryServices) -> Stored:
    await transcribing(services)
    services.transcriber.finish("job-0", Transcribed(transcript()))
    await collect.collect(services, "visit-1", 1, "job-0")
    return await present(services)


async def present(services: MemoryServices) -> Stored:
    stored = await services.store.get("visit-1")
    assert stored
    return stored


async def events(services: MemoryServices) -> list[str]:
    return [entry.event for entry in await services.store.history("visit-1")]


def polled(services: MemoryServices) -> TranscriptionPolled:
    return TranscriptionPolled(1, services.clock.now() + timedelta(minutes=7))


# Saving.


async def test_a_save_that_loses_races_is_decided_anew_and_keeps_what_others_wrote(
    services: MemoryServices, store: ContestedStore
) -> None:
    read = await transcribing(services)
    store.lost_races = CONFLICTS - 1
    saved = await save_event(services, read, polled(services))
    assert saved
    assert saved.visit.wake_at == services.clock.now() + timedelta(minutes=7)
    assert saved.visit.title, "the owner's own change is still there"


async def test_a_storm_of_conflicts_ends_in_a_bounded_number_of_tries(
    services: MemoryServices, store: ContestedStore
) -> None:
    read = await transcribing(services)
    store.lost_races, store.saves = 1_000, 0
    with pytest.raises(Transient):
        await save_event(services, read, polled(services))
    assert store.saves == CONFLICTS


async def test_a_summary_is_paid_once_however_often_its_save_loses(
    services: MemoryServices, store: ContestedStore
) -> None:
    await summarizing(services)
    store.lost_races = CONFLICTS - 1
    await summarize.summarize(services, "visit-1", 1)
    assert (await present(services)).visit.status is Status.COMPLETED
    assert services.summarizer.calls == 1


@pytest.mark.parametrize("lost", range(1, 4))
async def test_a_save_whose_answer_is_lost_is_not_recorded_twice(
    services: MemoryServices, store: ContestedStore, lost: int
) -> None:
    await summarizing(services)
    store.lost_answers = lost
    await summarize.summarize(services, "visit-1", 1)
    await recover.wake_due(services)
    assert (await present(services)).visit.status is Status.COMPLETED
    history = await events(services)
    assert [history.count(each) for each in ("summary_claimed", "summary_stored")] == [1, 1]
    assert len(await services.store.actions("visit-1")) == 2


async def test_an_effect_that_went_with_a_lost_answer_is_made_up_for_later(
    services: MemoryServices, store: ContestedStore
) -> None:
    await transcribing(services)
    services.transcriber.finish("job-0", Transcribed(transcript()))
    store.lost_answers = 1
    await collect.collect(services, "visit-1", 1, "job-0")
    assert (await present(services)).visit.processing_status is ProcessingStatus.SUMMARIZING
    assert services.tasks.created == []
    services.clock.advance(timedelta(minutes=3))
    await recover.wake_due(services)
    assert len(services.tasks.created) == 1


async def test_a_task_that_cannot_be_created_does_not_undo_the_save(
    services: MemoryServices,
) -> None:
    async def away(visit_id: str, attempt: int, request: int) -> None:
        raise Transient(ErrorCode.INTERNAL_ERROR)

    services.tasks.request_summary = away  # type: ignore[method-assign]
    visit = (await summarizing(services)).visit
    assert visit.processing_status is ProcessingStatus.SUMMARIZING
    assert visit.wake_at


async def test_a_visit_that_was_deleted_meanwhile_stays_deleted(
    services: MemoryServices, store: ContestedStore
) -> None:
    read = await transcribing(services)
    store.delete_everything()
    assert await save_event(services, read, polled(services)) is None
    assert store.documents() == {}


async def test_an_upload_that_finds_the_visit_ever_changing_must_come_again(
    services: MemoryServices, store: ContestedStore
) -> None:
    store.lost_races = 1_000
    with pytest.raises(Transient):
        await accept.accept(services, services.upload())
    assert services.transcriber.orders == [], "nothing is paid without a claim"


# Claiming.


async def test_of_many_who_want_to_pay_one_does(services: MemoryServices) -> None:
    read = await summarizing(services)
    claims = await asyncio.gather(*(take_lease(services, read, SummaryClaimed) for _ in range(20)))
    assert len([each for each in claims if each]) == 1
    assert (await present(services)).visit.stage_tries == 1


async def test_our_own_claim_is_recognized_though_the_answer_was_lost(
    services: MemoryServices, store: ContestedStore
) -> None:
    read = await summarizing(services)
    store.lost_answers = 1
    leased = await take_lease(services, read, SummaryClaimed)
    assert leased
    assert leased.visit == (await present(services)).visit
    assert leased.visit.stage_tries == 1


async def test_a_claim_that_loses_races_to_harmless_writes_is_still_taken(
    services: MemoryServices, store: ContestedStore
) -> None:
    read = await summarizing(services)
    store.lost_races = CONFLICTS - 1
    assert await take_lease(services, read, SummaryClaimed)


async def test_a_storm_of_conflicts_leaves_the_lease_to_a_repeated_task(
    services: MemoryServices, store: ContestedStore
) -> None:
    read = await summarizing(services)
    store.lost_races, store.saves = 1_000, 0
    with pytest.raises(Transient):
        await take_lease(services, read, SummaryClaimed)
    assert store.saves == CONFLICTS
    visit = (await present(services)).visit
    assert (visit.lease, visit.stage_tries) == (None, 0)
    assert visit.wake_at


async def test_a_visit_that_was_deleted_meanwhile_cannot_be_claimed(
    services: MemoryServices, store: ContestedStore
) -> None:
    read = await summarizing(services)
    store.delete_everything()
    assert await take_lease(services, read, SummaryClaimed) is None
    assert store.documents() == {}


async def test_a_claim_is_free_again_when_it_ends(services: MemoryServices) -> None:
    read = await summarizing(services)
    assert await take_lease(services, read, SummaryClaimed)
    services.clock.advance(SUMMARY.work + LEASE_GRACE)
    again = await take_lease(services, await present(services), SummaryClaimed)
    assert again
    assert again.visit.stage_tries == 2, "whoever is next looks before paying"


async def test_a_finished_stage_cannot_be_claimed(services: MemoryServices) -> None:
    await summarizing(services)
    await summarize.summarize(services, "visit-1", 1)
    assert await take_lease(services, await present(services), SummaryClaimed) is None


async def test_a_holder_whose_time_is_over_is_cancelled_before_its_claim_ends(
    services: MemoryServices,
) -> None:
    leased = await take_lease(services, await summarizing(services), SummaryClaimed)
    assert leased
    services.clock.advance(SUMMARY.work)
    never = asyncio.get_running_loop().create_future()

    async def work() -> None:
        async with within_lease(services, leased.visit, CODE):
            await never

    with pytest.raises(TimedOut) as raised:
        await work()
    assert raised.value.code is CODE
    assert never.cancelled()
    assert leased.visit.is_leased(services.clock.now()), "nobody else has begun yet"


async def test_a_holder_in_time_is_left_alone(services: MemoryServices) -> None:
    leased = await take_lease(services, await summarizing(services), SummaryClaimed)
    assert leased
    async with within_lease(services, leased.visit, CODE):
        await asyncio.sleep(0)
