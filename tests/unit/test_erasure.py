"""A user with thousands of visits has everything deleted: by the request, or by itself later."""

import io
from datetime import timedelta
from typing import Any

import pytest

from lumimd.domain.commit import Commit
from lumimd.domain.errors import ErrorCode, Transient
from lumimd.domain.visit import Deletion, Visit
from lumimd.pipeline import recover
from lumimd.pipeline.delete import AGAIN_AFTER, SETTLED_AFTER
from lumimd.pipeline.erase import LEFT_TO_THE_REQUEST, Erasure, erase, erasure_of, note_erasure
from lumimd.telemetry import logs
from tests.contract.test_visit_store import action
from tests.support.parts import MemoryParts

SECOND = timedelta(seconds=1)
WITHIN = 30 * SECOND
MANY = 3_000


async def parts_with(number: int, **fields: object) -> MemoryParts:
    parts = MemoryParts()
    for n in range(number):
        await add(parts, f"v{n}", **fields)
    return parts


async def add(parts: MemoryParts, visit_id: str, **fields: object) -> None:
    now = parts.clock.now()
    visit = Visit(visit_id=visit_id, user_id="u1", created_at=now, updated_at=now)
    commit = Commit(
        visit.model_copy(update={"wake_at": None, **fields}),
        actions=(action(0, visit_id=visit_id),),
    )
    await parts.store.create(commit)


def slowly(parts: MemoryParts, monkeypatch: pytest.MonkeyPatch, each: timedelta) -> None:
    """Every deletion takes `each` of the clock's time."""
    begin = parts.deletions.begin

    async def begins(*args: Any, **kwargs: Any) -> None:
        parts.clock.advance(each)
        await begin(*args, **kwargs)

    monkeypatch.setattr(parts.deletions, "begin", begins)


async def asked_for(parts: MemoryParts) -> Erasure:
    await note_erasure(parts, "u1")
    return await erase(parts, "u1", parts.clock.now() + WITHIN, asked=True)


async def receipt(parts: MemoryParts) -> Deletion:
    found = await erasure_of(parts, "u1")
    assert found
    return found


def visits(parts: MemoryParts) -> list[str]:
    return [path.removeprefix("visits/") for path, _ in parts.store.raw.under("visits")]


async def minutes(parts: MemoryParts, number: int) -> None:
    for _ in range(number):
        parts.clock.advance(timedelta(minutes=1))
        await recover.wake_due(parts)


async def test_thousands_of_visits_go_with_one_request() -> None:
    parts = await parts_with(MANY)
    done = await asked_for(parts)
    assert (len(done.deleted), done.is_complete) == (MANY, True)
    assert visits(parts) == []
    kept = await receipt(parts)
    assert (kept.wake_at, kept.counts["visits"]) == (None, MANY)


async def test_the_documents_of_each_visit_go_with_its_sweep() -> None:
    parts = await parts_with(250)
    await asked_for(parts)
    await minutes(parts, int(SETTLED_AFTER / timedelta(minutes=1)) + 2)
    assert {path.split("/")[0] for path in parts.store.documents()} == {"deletions"}


async def test_what_a_request_has_no_time_for_goes_by_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parts = await parts_with(600)
    slowly(parts, monkeypatch, SECOND / 5)
    done = await asked_for(parts)
    assert not done.is_complete
    assert 100 < len(done.deleted) < 200
    await minutes(parts, 8)
    assert visits(parts) == []
    assert (await receipt(parts)).counts["visits"] == 600


async def test_a_request_that_dies_is_gone_on_with(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = await parts_with(20)
    await note_erasure(parts, "u1")  # and no more
    parts.clock.advance(LEFT_TO_THE_REQUEST - SECOND)
    await recover.wake_due(parts)
    assert len(visits(parts)) == 20, "the request may still be at work"
    await minutes(parts, 1)
    assert visits(parts) == []


async def test_a_visit_from_after_the_request_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = await parts_with(20)
    await note_erasure(parts, "u1")
    parts.clock.advance(SECOND)
    await add(parts, "new")
    await minutes(parts, 2)
    assert visits(parts) == ["new"]
    assert (await receipt(parts)).completed_at


async def test_what_is_held_stays_and_keeps_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = await parts_with(150)
    await add(parts, "held", legal_hold=True)
    done = await asked_for(parts)
    assert (done.held, done.is_complete) == (["held"], True)
    assert visits(parts) == ["held"]


@pytest.mark.parametrize("trouble", [Transient(ErrorCode.INTERNAL_ERROR), ValueError()])
async def test_a_visit_that_fails_keeps_no_other_and_its_turn_comes_again(
    trouble: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = await parts_with(150)
    get = parts.store.get

    async def fails(visit_id: str) -> Any:
        if visit_id == "v7":
            raise trouble
        return await get(visit_id)

    with monkeypatch.context() as patch:
        patch.setattr(parts.store, "get", fails)
        done = await asked_for(parts)
        assert not done.is_complete
        assert visits(parts) == ["v7"]
        assert (await receipt(parts)).completed_at is None
    await minutes(parts, int(AGAIN_AFTER / timedelta(minutes=1)))
    assert visits(parts) == []
    assert (await receipt(parts)).completed_at


async def test_no_log_line_says_who_had_everything_deleted() -> None:
    parts = await parts_with(3)
    await note_erasure(parts, "u1")
    logs.configure(to=(written := io.StringIO()))
    await minutes(parts, 3)
    logs.configure()
    assert visits(parts) == []
    assert "visit_deleted" in written.getvalue()
    assert "u1" not in written.getvalue()


async def test_action_items_without_their_visit_go_as_well() -> None:
    parts = await parts_with(3)
    del parts.store.raw["visits/v1"]  # a backup brought back its action items alone
    await asked_for(parts)
    await minutes(parts, int(SETTLED_AFTER / timedelta(minutes=1)) + 2)
    assert {path.split("/")[0] for path in parts.store.documents()} == {"deletions"}
