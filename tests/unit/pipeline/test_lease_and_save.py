"""Test saves and leases under conflicts: changes are kept and paid calls are not repeated."""

import asyncio
from datetime import timedelta

import pytest

from lumimd.adapters.memory import MemoryVisitStore
from lumimd.domain.codes import ErrorCode
from lumimd.domain.commit import Commit, Conflict, Stored
from lumimd.domain.errors import TimedOut, Transient
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
    """A stub store with conflicts.

    Another writer is faster in the next `lost_races` saves. The next `lost_answers` saves
    succeed but raise a conflict.
    """

    def __init__(self) -> None:
        super().__init__()
        self.lost_races = 0
        self.lost_answers = 0
        self.saves = 0

    def delete_everything(self) -> None:
        """Delete all documents, as if the owner had deleted the account."""
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
            await self._concurrent_write(commit.visit.visit_id)
        saved = await super().save(read, commit)
        if self.lost_answers:
            self.lost_answers -= 1
            raise Conflict  # the response to the write is lost, and the repeated write conflicts
        return saved

    async def _concurrent_write(self, visit_id: str) -> None:
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


# Saves.


async def test_a_save_after_conflicts_is_repeated_and_keeps_concurrent_changes(
    services: MemoryServices, store: ContestedStore
) -> None:
    read = await transcribing(services)
    store.lost_races = CONFLICTS - 1
    saved = await save_event(services, read, polled(services))
    assert saved
    assert saved.visit.wake_at == services.clock.now() + timedelta(minutes=7)
    assert saved.visit.title, "the owner's own change is still there"


async def test_a_save_under_continuous_conflicts_raises_transient_after_a_few_tries(
    services: MemoryServices, store: ContestedStore
) -> None:
    read = await transcribing(services)
    store.lost_races, store.saves = 1_000, 0
    with pytest.raises(Transient):
        await save_event(services, read, polled(services))
    assert store.saves == CONFLICTS


async def test_a_summary_whose_save_conflicts_is_paid_once(
    services: MemoryServices, store: ContestedStore
) -> None:
    await summarizing(services)
    store.lost_races = CONFLICTS - 1
    await summarize.summarize(services, "visit-1", 1)
    assert (await present(services)).visit.status is Status.COMPLETED
    assert services.summarizer.calls == 1


@pytest.mark.parametrize("lost", range(1, 4))
async def test_a_save_with_a_lost_response_is_recorded_once(
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


async def test_the_poller_creates_the_task_of_a_save_with_a_lost_response(
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


async def test_a_failure_to_create_a_task_does_not_undo_the_save(services: MemoryServices) -> None:
    async def fail(visit_id: str, attempt: int, request: int) -> None:
        raise Transient(ErrorCode.INTERNAL_ERROR)

    services.tasks.request_summary = fail  # type: ignore[method-assign]
    visit = (await summarizing(services)).visit
    assert visit.processing_status is ProcessingStatus.SUMMARIZING
    assert visit.wake_at


async def test_a_save_does_not_restore_a_concurrently_deleted_visit(
    services: MemoryServices, store: ContestedStore
) -> None:
    read = await transcribing(services)
    store.delete_everything()
    assert await save_event(services, read, polled(services)) is None
    assert store.documents() == {}


async def test_an_upload_event_under_continuous_conflicts_raises_transient(
    services: MemoryServices, store: ContestedStore
) -> None:
    store.lost_races = 1_000
    with pytest.raises(Transient):
        await accept.accept(services, services.upload())
    assert services.transcriber.orders == [], "nothing is paid without a lease"


# Leases.


async def test_exactly_one_of_twenty_concurrent_workers_takes_the_lease(
    services: MemoryServices,
) -> None:
    read = await summarizing(services)
    leases = await asyncio.gather(*(take_lease(services, read, SummaryClaimed) for _ in range(20)))
    assert len([each for each in leases if each]) == 1
    assert (await present(services)).visit.stage_tries == 1


async def test_a_worker_recognizes_its_own_lease_after_a_lost_response(
    services: MemoryServices, store: ContestedStore
) -> None:
    read = await summarizing(services)
    store.lost_answers = 1
    leased = await take_lease(services, read, SummaryClaimed)
    assert leased
    assert leased.visit == (await present(services)).visit
    assert leased.visit.stage_tries == 1


async def test_a_lease_is_taken_despite_unrelated_writes(
    services: MemoryServices, store: ContestedStore
) -> None:
    read = await summarizing(services)
    store.lost_races = CONFLICTS - 1
    assert await take_lease(services, read, SummaryClaimed)


async def test_taking_a_lease_under_continuous_conflicts_raises_transient(
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


async def test_a_concurrently_deleted_visit_cannot_be_leased(
    services: MemoryServices, store: ContestedStore
) -> None:
    read = await summarizing(services)
    store.delete_everything()
    assert await take_lease(services, read, SummaryClaimed) is None
    assert store.documents() == {}


async def test_a_lease_can_be_taken_again_after_its_expiry(services: MemoryServices) -> None:
    read = await summarizing(services)
    assert await take_lease(services, read, SummaryClaimed)
    services.clock.advance(SUMMARY.work + LEASE_GRACE)
    again = await take_lease(services, await present(services), SummaryClaimed)
    assert again
    assert again.visit.stage_tries == 2, "the next worker looks for a result before it pays"


async def test_a_finished_stage_cannot_be_leased(services: MemoryServices) -> None:
    await summarizing(services)
    await summarize.summarize(services, "visit-1", 1)
    assert await take_lease(services, await present(services), SummaryClaimed) is None


async def test_work_past_its_deadline_is_cancelled_before_the_lease_expires(
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
    assert leased.visit.is_leased(services.clock.now()), "no other worker has started yet"


async def test_work_within_its_deadline_is_not_cancelled(services: MemoryServices) -> None:
    leased = await take_lease(services, await summarizing(services), SummaryClaimed)
    assert leased
    async with within_lease(services, leased.visit, CODE):
        await asyncio.sleep(0)
