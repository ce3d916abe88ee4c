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
from lumimd.pipeline.lease import claim, while_claimed
from lumimd.pipeline.save import CONFLICTS, record
from lumimd.policies.lease import GAP, SUMMARY
from lumimd.ports.transcriber import Transcribed
from tests.support.parts import MemoryParts, transcript

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
def parts(store: ContestedStore) -> MemoryParts:
    return MemoryParts(store=store)


async def transcribing(parts: MemoryParts) -> Stored:
    await accept.accept(parts, parts.upload())
    return await present(parts)


async def summarizing(parts: MemoryParts) -> Stored:
    await transcribing(parts)
    parts.transcriber.finish("job-0", Transcribed(transcript()))
    await collect.collect(parts, "visit-1", 1, "job-0")
    return await present(parts)


async def present(parts: MemoryParts) -> Stored:
    stored = await parts.store.get("visit-1")
    assert stored
    return stored


async def events(parts: MemoryParts) -> list[str]:
    return [entry.event for entry in await parts.store.history("visit-1")]


def polled(parts: MemoryParts) -> TranscriptionPolled:
    return TranscriptionPolled(1, parts.clock.now() + timedelta(minutes=7))


# Saving.


async def test_a_save_that_loses_races_is_decided_anew_and_keeps_what_others_wrote(
    parts: MemoryParts, store: ContestedStore
) -> None:
    read = await transcribing(parts)
    store.lost_races = CONFLICTS - 1
    saved = await record(parts, read, polled(parts))
    assert saved
    assert saved.visit.wake_at == parts.clock.now() + timedelta(minutes=7)
    assert saved.visit.title, "the owner's own change is still there"


async def test_a_storm_of_conflicts_ends_in_a_bounded_number_of_tries(
    parts: MemoryParts, store: ContestedStore
) -> None:
    read = await transcribing(parts)
    store.lost_races, store.saves = 1_000, 0
    with pytest.raises(Transient):
        await record(parts, read, polled(parts))
    assert store.saves == CONFLICTS


async def test_a_summary_is_paid_once_however_often_its_save_loses(
    parts: MemoryParts, store: ContestedStore
) -> None:
    await summarizing(parts)
    store.lost_races = CONFLICTS - 1
    await summarize.summarize(parts, "visit-1", 1)
    assert (await present(parts)).visit.status is Status.COMPLETED
    assert parts.summarizer.calls == 1


@pytest.mark.parametrize("lost", range(1, 4))
async def test_a_save_whose_answer_is_lost_is_not_recorded_twice(
    parts: MemoryParts, store: ContestedStore, lost: int
) -> None:
    await summarizing(parts)
    store.lost_answers = lost
    await summarize.summarize(parts, "visit-1", 1)
    await recover.wake_due(parts)
    assert (await present(parts)).visit.status is Status.COMPLETED
    history = await events(parts)
    assert [history.count(each) for each in ("summary_claimed", "summary_stored")] == [1, 1]
    assert len(await parts.store.actions("visit-1")) == 2


async def test_an_effect_that_went_with_a_lost_answer_is_made_up_for_later(
    parts: MemoryParts, store: ContestedStore
) -> None:
    await transcribing(parts)
    parts.transcriber.finish("job-0", Transcribed(transcript()))
    store.lost_answers = 1
    await collect.collect(parts, "visit-1", 1, "job-0")
    assert (await present(parts)).visit.processing_status is ProcessingStatus.SUMMARIZING
    assert parts.tasks.created == []
    parts.clock.advance(timedelta(minutes=3))
    await recover.wake_due(parts)
    assert len(parts.tasks.created) == 1


async def test_a_task_that_cannot_be_created_does_not_undo_the_save(parts: MemoryParts) -> None:
    async def away(visit_id: str, attempt: int, request: int) -> None:
        raise Transient(ErrorCode.INTERNAL_ERROR)

    parts.tasks.request_summary = away  # type: ignore[method-assign]
    visit = (await summarizing(parts)).visit
    assert visit.processing_status is ProcessingStatus.SUMMARIZING
    assert visit.wake_at


async def test_a_visit_that_was_deleted_meanwhile_stays_deleted(
    parts: MemoryParts, store: ContestedStore
) -> None:
    read = await transcribing(parts)
    store.delete_everything()
    assert await record(parts, read, polled(parts)) is None
    assert store.documents() == {}


async def test_an_upload_that_finds_the_visit_ever_changing_must_come_again(
    parts: MemoryParts, store: ContestedStore
) -> None:
    store.lost_races = 1_000
    with pytest.raises(Transient):
        await accept.accept(parts, parts.upload())
    assert parts.transcriber.orders == [], "nothing is paid without a claim"


# Claiming.


async def test_of_many_who_want_to_pay_one_does(parts: MemoryParts) -> None:
    read = await summarizing(parts)
    claims = await asyncio.gather(*(claim(parts, read, SummaryClaimed) for _ in range(20)))
    assert len([each for each in claims if each]) == 1
    assert (await present(parts)).visit.stage_tries == 1


async def test_our_own_claim_is_recognized_though_the_answer_was_lost(
    parts: MemoryParts, store: ContestedStore
) -> None:
    read = await summarizing(parts)
    store.lost_answers = 1
    claimed = await claim(parts, read, SummaryClaimed)
    assert claimed
    assert claimed.visit == (await present(parts)).visit
    assert claimed.visit.stage_tries == 1


async def test_a_claim_that_loses_races_to_harmless_writes_is_still_taken(
    parts: MemoryParts, store: ContestedStore
) -> None:
    read = await summarizing(parts)
    store.lost_races = CONFLICTS - 1
    assert await claim(parts, read, SummaryClaimed)


async def test_a_storm_of_conflicts_leaves_the_claim_to_the_next_who_comes(
    parts: MemoryParts, store: ContestedStore
) -> None:
    read = await summarizing(parts)
    store.lost_races, store.saves = 1_000, 0
    assert await claim(parts, read, SummaryClaimed) is None
    assert store.saves == CONFLICTS
    visit = (await present(parts)).visit
    assert (visit.claim, visit.stage_tries) == (None, 0)
    assert visit.wake_at


async def test_a_visit_that_was_deleted_meanwhile_cannot_be_claimed(
    parts: MemoryParts, store: ContestedStore
) -> None:
    read = await summarizing(parts)
    store.delete_everything()
    assert await claim(parts, read, SummaryClaimed) is None
    assert store.documents() == {}


async def test_a_claim_is_free_again_when_it_ends(parts: MemoryParts) -> None:
    read = await summarizing(parts)
    assert await claim(parts, read, SummaryClaimed)
    parts.clock.advance(SUMMARY.work + GAP)
    again = await claim(parts, await present(parts), SummaryClaimed)
    assert again
    assert again.visit.stage_tries == 2, "whoever is next looks before paying"


async def test_a_finished_stage_cannot_be_claimed(parts: MemoryParts) -> None:
    await summarizing(parts)
    await summarize.summarize(parts, "visit-1", 1)
    assert await claim(parts, await present(parts), SummaryClaimed) is None


async def test_a_holder_whose_time_is_over_is_cancelled_before_its_claim_ends(
    parts: MemoryParts,
) -> None:
    claimed = await claim(parts, await summarizing(parts), SummaryClaimed)
    assert claimed
    parts.clock.advance(SUMMARY.work)
    never = asyncio.get_running_loop().create_future()

    async def work() -> None:
        async with while_claimed(parts, claimed.visit, CODE):
            await never

    with pytest.raises(TimedOut) as raised:
        await work()
    assert raised.value.code is CODE
    assert never.cancelled()
    assert claimed.visit.is_claimed(parts.clock.now()), "nobody else has begun yet"


async def test_a_holder_in_time_is_left_alone(parts: MemoryParts) -> None:
    claimed = await claim(parts, await summarizing(parts), SummaryClaimed)
    assert claimed
    async with while_claimed(parts, claimed.visit, CODE):
        await asyncio.sleep(0)
