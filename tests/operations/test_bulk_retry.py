"""A bulk retry keeps a steady pace, pays for no transcript twice and counts every dead letter."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from lumimd.adapters.memory import MemoryAudioStore
from lumimd.domain.audio import Audio
from lumimd.domain.codes import ErrorCode
from lumimd.domain.commit import Commit
from lumimd.domain.errors import Transient
from lumimd.domain.visit import Stage, Status
from lumimd.operations.bulk_retry import BulkItem, BulkOutcome, Pace, bulk_retry, choose
from lumimd.operations.operator import Operator
from lumimd.pipeline import recover, summarize
from lumimd.stores.operator_store import AuditFilter, AuditOutcome, LetterFilter
from tests.support.operators import OperatedServices

EVERY = LetterFilter()


class Measured(MemoryAudioStore):
    """A stub audio store with a fixed duration, so that a thousand recordings are not decoded."""

    async def measure(self, audio: Audio) -> Audio:
        return audio.with_duration(2.0)


def sleeper(services: OperatedServices) -> Callable[[float], Awaitable[None]]:
    """Return a `sleep` that advances the manual clock instead of waiting."""

    async def sleep(seconds: float) -> None:
        services.clock.advance(timedelta(seconds=seconds))

    return sleep


@pytest.mark.no_cover  # tracing at least doubles the time of these visits
async def test_a_thousand_visits_are_retried_at_a_steady_pace_without_a_second_order(
    services: OperatedServices, olga: Operator
) -> None:
    services.audio = Measured()
    ids = [f"v{number:04d}" for number in range(1_000)]
    await asyncio.gather(*map(services.submitted, ids))
    for visit_id in ids:
        await services.collected(visit_id)
        await services.given_up(visit_id)
    assert len(services.transcriber.orders) == 1_000
    letters = await choose(olga, EVERY, limit=2_000)
    assert len(letters) == 1_000
    began, retried_at = services.clock.now(), dict[str, datetime]()

    def on_item(item: BulkItem) -> None:
        retried_at[item.visit_id] = services.clock.now()

    summary = await bulk_retry(
        olga, letters, per_minute=120, sleep=sleeper(services), on_item=on_item
    )

    assert (summary.chosen, summary.retried, summary.refused, summary.failed, summary.left) == (
        1_000,
        1_000,
        0,
        0,
        0,
    )
    moments = sorted(retried_at.values())
    assert len(moments) == 1_000
    assert {after - before for before, after in pairwise(moments)} == {timedelta(seconds=0.5)}
    assert summary.took_seconds == 999 * 0.5 == (services.clock.now() - began).total_seconds()
    assert await services.operators.letters(LetterFilter(state=None), 10) == []

    services.clock.advance(timedelta(minutes=5))
    assert await recover.wake_due(services) == 1_000  # the poller finds every retried visit
    for visit_id in ids[::20]:
        await summarize.summarize(services, visit_id, 2)
        assert (await services.get(visit_id)).status is Status.COMPLETED
    assert len(services.transcriber.orders) == 1_000  # unchanged: no visit was ordered again


async def test_a_bulk_retry_counts_refusals_by_code(
    services: OperatedServices, olga: Operator
) -> None:
    await services.partial("well")
    await services.unreadable("broken")
    letters = await choose(olga, EVERY, limit=10)
    summary = await bulk_retry(olga, letters, sleep=sleeper(services))
    assert (summary.retried, summary.refused) == (1, 1)
    assert summary.codes == {"nothing_to_retry": 1}
    assert {item.visit_id: item.outcome for item in summary.items} == {
        "well": BulkOutcome.RETRIED,
        "broken": BulkOutcome.REFUSED,
    }


async def test_every_retry_and_the_bulk_retry_are_in_the_audit_log(
    services: OperatedServices, olga: Operator
) -> None:
    await services.partial("v1")
    await services.partial("v2")
    await bulk_retry(olga, await choose(olga, EVERY, 10), sleep=sleeper(services))
    entries = await services.operators.audit(AuditFilter(), 10)
    assert sorted((entry.action, entry.target) for entry in entries) == [
        ("bulk_retry", "dead letters"),
        ("retry", "v1"),
        ("retry", "v2"),
    ]
    (whole,) = [entry for entry in entries if entry.action == "bulk_retry"]
    assert whole.before == {"chosen": 2, "perMinute": 60}
    assert whole.after is not None
    assert whole.after["retried"] == 2


async def test_a_bulk_retry_chooses_the_same_dead_letters_as_the_list(
    services: OperatedServices, olga: Operator
) -> None:
    for number in range(5):
        await services.partial(f"v{number}")
        services.clock.advance(timedelta(minutes=1))
    shown = await services.operators.letters(EVERY, 2)
    chosen = await choose(olga, EVERY, limit=2)
    assert chosen == list(shown)
    assert await choose(olga, LetterFilter(stage=Stage.SUBMISSION), limit=5) == []


async def test_a_bulk_retry_chooses_dead_letters_from_all_pages(
    services: OperatedServices, olga: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lumimd.operations.bulk_retry.PAGE", 2)
    for number in range(5):
        await services.partial(f"v{number}")
    chosen = await choose(olga, EVERY, limit=100)
    assert sorted(letter.visit_id for letter in chosen) == ["v0", "v1", "v2", "v3", "v4"]


async def test_a_bulk_retry_stops_after_five_failures_in_a_row(
    services: OperatedServices, olga: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(8):
        await services.partial(f"v{number}")
    letters = await choose(olga, EVERY, limit=10)

    async def down(read: object, commit: Commit) -> None:
        raise Transient(ErrorCode.INTERNAL_ERROR)

    monkeypatch.setattr(services.store, "save", down)
    summary = await bulk_retry(olga, letters, sleep=sleeper(services))
    assert (summary.retried, summary.failed, summary.left) == (0, 5, 3)
    assert summary.codes == {"internal_error": 5}
    entries = await services.operators.audit(AuditFilter(target=letters[0].visit_id), 10)
    assert [entry.outcome for entry in entries] == [AuditOutcome.FAILED]


async def test_after_a_slow_retry_the_pace_does_not_speed_up(services: OperatedServices) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        services.clock.advance(timedelta(seconds=seconds))

    pace = Pace(60, services.clock, sleep)
    await pace.turn()
    services.clock.advance(timedelta(seconds=10))  # a slow retry
    await pace.turn()
    await pace.turn()
    await pace.turn()
    assert slept == [1.0, 1.0]


async def test_no_retry_begins_after_the_time_limit_and_the_next_call_continues(
    services: OperatedServices, olga: Operator
) -> None:
    for number in range(5):
        await services.partial(f"v{number}")
    sleep = sleeper(services)
    ends_at = services.clock.now() + timedelta(seconds=40)
    letters = await choose(olga, EVERY, limit=5)
    summary = await bulk_retry(olga, letters, per_minute=4, ends_at=ends_at, sleep=sleep)
    assert (summary.retried, summary.left) == (3, 2)  # after 0, 15 and 30 s; not after 45
    letters = await choose(olga, EVERY, limit=5)
    assert len(letters) == 2
    assert (await bulk_retry(olga, letters, per_minute=4, sleep=sleep)).left == 0


async def test_slow_retries_stop_at_the_time_limit_at_a_high_pace(
    services: OperatedServices, olga: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pace is an upper limit, so that slow retries take longer and leave some letters."""
    for number in range(5):
        await services.partial(f"v{number}")
    save, sleep = services.store.save, sleeper(services)

    async def slow(read: object, commit: Commit) -> object:
        await sleep(15)
        return await save(read, commit)  # type: ignore[arg-type]

    monkeypatch.setattr(services.store, "save", slow)
    letters = await choose(olga, EVERY, limit=5)
    ends_at = services.clock.now() + timedelta(seconds=40)
    summary = await bulk_retry(olga, letters, per_minute=6000, ends_at=ends_at, sleep=sleep)
    assert summary.left > 0
    assert summary.retried + summary.left == 5
    last_began_at = summary.took_seconds - 15
    assert last_began_at < 40
