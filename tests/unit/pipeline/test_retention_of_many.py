"""Test that retention reads each page of visits once and skips visits that are not due.

Reads are counted, not timed. `tests/benchmarks/retention.py` does the same with 100,000 visits.
"""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from lumimd.domain.visit import ProcessingStatus, Status
from lumimd.pipeline import accept, commands, retain
from lumimd.policies.deployment import Policy
from lumimd.ports.paging import Page
from tests.support.api import completed, failed, visit_of
from tests.support.services import START, MemoryServices, tone
from tests.support.visits import visit_of as stored_visit

DAY = timedelta(days=1)
MANY = 2 * retain.PAGE + 50
"""The number of skipped visits before the due visit, which fill more than two pages."""


class Reads:
    """Counts the visits that each retention query reads, and the most in one page."""

    def __init__(self, queries: Any) -> None:
        self.count: Counter[str] = Counter()
        self.most = 0
        for name in ("waiting", "older", "with_audio"):
            setattr(queries, name, self._counted(name, getattr(queries, name)))

    def _counted(self, name: str, query: Any) -> Any:
        async def counted(*args: Any) -> Page[Any]:
            page = await query(*args)
            self.count[name] += page.read
            self.most = max(self.most, page.read)
            return page

        return counted


@pytest.fixture
def services() -> MemoryServices:
    return MemoryServices(policy=Policy(bucket="recordings", requires_consent=False))


def put(services: MemoryServices, visit_id: str, minutes: int, **fields: Any) -> None:
    """Store a completed visit with its recording."""
    visit = completed(visit_of("user-1", visit_id, minutes=minutes), **fields)
    assert visit.audio
    services.audio.put(visit.audio, tone(seconds=1))
    services.store.raw[f"visits/{visit_id}"] = visit.to_stored()


def never_recorded(services: MemoryServices, visit_id: str, minutes: int) -> None:
    expired = failed(visit_of("user-1", visit_id, minutes=minutes), status=Status.EXPIRED)
    gone = expired.model_copy(update={"audio": None, "timings": None})
    services.store.raw[f"visits/{visit_id}"] = gone.to_stored()


SKIPPED = {
    "without a recording": never_recorded,
    "under legal hold": lambda services, name, at: put(services, name, at, legal_hold=True),
    "of a newer release": lambda services, name, at: (
        put(services, name, at),
        services.store.raw.update(
            {f"visits/{name}": {**services.store.raw[f"visits/{name}"], "currentStep": "newer"}}
        ),
    ),
    "still in process": lambda services, name, at: put(
        services, name, at, processing_status=ProcessingStatus.SUMMARIZING
    ),
}


@pytest.mark.parametrize("kept", [None, 90 * DAY], ids=["transcripts stay", "transcripts go"])
@pytest.mark.parametrize("kind", SKIPPED)
async def test_retention_reaches_a_due_visit_behind_pages_of_skipped_visits(
    services: MemoryServices, kind: str, kept: timedelta | None
) -> None:
    services.policy = Policy(requires_consent=False, transcript_retention=kept)
    for number in range(MANY):
        SKIPPED[kind](services, f"front-{number:04d}", 0)
    put(services, "ordinary", minutes=1)
    services.clock.advance(100 * DAY)
    reads = Reads(services.retention_queries)
    await retain.enforce(services)
    assert not await services.audio.has("recordings", "visits/user-1/ordinary/") or kept
    if kept:
        assert "deletions/ordinary" in services.store.raw
    else:
        assert (await stored_visit(services, "ordinary")).audio_erased_at
    assert reads.most <= retain.PAGE, "at most one page is in memory"


async def test_one_retention_run_erases_all_due_recordings_and_reads_each_visit_once(
    services: MemoryServices,
) -> None:
    for number in range(MANY):
        never_recorded(services, f"none-{number:04d}", minutes=number)
        put(services, f"old-{number:04d}", minutes=number)
    services.clock.advance(40 * DAY)
    reads = Reads(services.retention_queries)
    assert (await retain.enforce(services))["recordings_erased"] == MANY
    assert reads.count["with_audio"] == 2 * MANY, "each is read once"
    assert not services.audio._content
    reads.count.clear()
    assert (await retain.enforce(services))["recordings_erased"] == 0
    assert reads.count["with_audio"] == 0, "finished visits are not read again"


async def test_a_recording_uploaded_after_the_expiry_of_its_visit_is_kept_for_30_days(
    services: MemoryServices,
) -> None:
    """A visit that had nothing to erase is due again after a later upload."""
    never_recorded(services, "late", minutes=0)
    services.clock.advance(40 * DAY)
    await retain.enforce(services)
    assert (await stored_visit(services, "late")).audio_erased_at
    announced = {"announced_at": services.clock.now()}
    await accept.accept(services, services.upload("late").model_copy(update=announced))
    visit = await stored_visit(services, "late")
    assert (visit.audio_erased_at, visit.audio is None) == (None, False)
    await commands.cancel(services, "late")
    services.clock.advance(29 * DAY)
    assert (await retain.enforce(services))["recordings_erased"] == 0
    services.clock.advance(DAY)
    assert (await retain.enforce(services))["recordings_erased"] == 1


async def test_retention_keeps_a_visit_whose_legal_hold_begins_during_the_run(
    services: MemoryServices,
) -> None:
    put(services, "v", minutes=0)
    services.clock.advance(40 * DAY)
    whole = services.retention_queries.with_audio

    async def held_meanwhile(*args: Any) -> Page[Any]:
        page = await whole(*args)
        await commands.hold(services, "v", legally=True)
        return page

    services.retention_queries.with_audio = held_meanwhile  # type: ignore[method-assign]
    assert (await retain.enforce(services))["recordings_erased"] == 0
    assert services.audio._content


async def test_many_visits_without_a_recording_expire_in_one_run(services: MemoryServices) -> None:
    for number in range(MANY):
        idle = visit_of("user-1", f"v{number:04d}", minutes=0, wake_at=None)
        services.store.raw[f"visits/{idle.visit_id}"] = idle.to_stored()
    services.clock.advance(8 * DAY)
    assert (await retain.enforce(services))["expired"] == MANY
    assert services.clock.now() > START
