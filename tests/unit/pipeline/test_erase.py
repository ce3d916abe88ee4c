"""Test that the request, and then the poller, erase a user with thousands of visits."""

import io
from datetime import timedelta
from typing import Any

import pytest

from lumimd.domain.codes import ErrorCode
from lumimd.domain.commit import Commit
from lumimd.domain.errors import Transient
from lumimd.domain.visit import Deletion, Visit
from lumimd.pipeline import recover
from lumimd.pipeline.erase import Erasure, erase, erasure_of, note_erasure
from lumimd.policies.deletion import SETTLED_AFTER, SWEEP_AGAIN_AFTER
from lumimd.policies.time_budgets import ERASURE_REQUEST
from lumimd.telemetry import logs
from tests.contract.test_visit_store import action
from tests.support.services import MemoryServices

SECOND = timedelta(seconds=1)
WITHIN = 30 * SECOND
MANY = 3_000


async def services_with(number: int, **fields: object) -> MemoryServices:
    services = MemoryServices()
    for n in range(number):
        await add(services, f"v{n}", **fields)
    return services


async def add(services: MemoryServices, visit_id: str, **fields: object) -> None:
    now = services.clock.now()
    visit = Visit(visit_id=visit_id, user_id="u1", created_at=now, updated_at=now)
    commit = Commit(
        visit.model_copy(update={"wake_at": None, **fields}),
        actions=(action(0, visit_id=visit_id),),
    )
    await services.store.create(commit)


def slow_down(services: MemoryServices, monkeypatch: pytest.MonkeyPatch, each: timedelta) -> None:
    """Let each deletion take the time `each`."""
    begin = services.deletions.begin

    async def begins(*args: Any, **kwargs: Any) -> None:
        services.clock.advance(each)
        await begin(*args, **kwargs)

    monkeypatch.setattr(services.deletions, "begin", begins)


async def erase_by_request(services: MemoryServices) -> Erasure:
    await note_erasure(services, "u1")
    return await erase(services, "u1", services.clock.now() + WITHIN, asked=True)


async def receipt(services: MemoryServices) -> Deletion:
    found = await erasure_of(services, "u1")
    assert found
    return found


def visits(services: MemoryServices) -> list[str]:
    return [path.removeprefix("visits/") for path, _ in services.store.raw.under("visits")]


async def minutes(services: MemoryServices, number: int) -> None:
    for _ in range(number):
        services.clock.advance(timedelta(minutes=1))
        await recover.wake_due(services)


async def test_one_erasure_request_deletes_thousands_of_visits() -> None:
    services = await services_with(MANY)
    done = await erase_by_request(services)
    assert (len(done.deleted), done.is_complete) == (MANY, True)
    assert visits(services) == []
    kept = await receipt(services)
    assert (kept.wake_at, kept.counts["visits"]) == (None, MANY)


async def test_after_an_erasure_only_deletion_receipts_are_left() -> None:
    services = await services_with(250)
    await erase_by_request(services)
    await minutes(services, int(SETTLED_AFTER / timedelta(minutes=1)) + 2)
    assert {path.split("/")[0] for path in services.store.documents()} == {"deletions"}


async def test_the_poller_deletes_visits_that_a_slow_erasure_request_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    services = await services_with(600)
    slow_down(services, monkeypatch, SECOND / 5)
    done = await erase_by_request(services)
    assert not done.is_complete
    assert 100 < len(done.deleted) < 200
    await minutes(services, 8)
    assert visits(services) == []
    assert (await receipt(services)).counts["visits"] == 600


async def test_the_poller_completes_an_erasure_whose_request_crashed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    services = await services_with(20)
    await note_erasure(services, "u1")  # simulates a request that crashes after the first step
    services.clock.advance(ERASURE_REQUEST - SECOND)
    await recover.wake_due(services)
    assert len(visits(services)) == 20, "the request may still run"
    await minutes(services, 1)
    assert visits(services) == []


async def test_a_visit_created_after_the_erasure_request_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    services = await services_with(20)
    await note_erasure(services, "u1")
    services.clock.advance(SECOND)
    await add(services, "new")
    await minutes(services, 2)
    assert visits(services) == ["new"]
    assert (await receipt(services)).completed_at


async def test_an_erasure_keeps_a_visit_under_legal_hold_and_deletes_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    services = await services_with(150)
    await add(services, "held", legal_hold=True)
    done = await erase_by_request(services)
    assert (done.held, done.is_complete) == (["held"], True)
    assert visits(services) == ["held"]


@pytest.mark.parametrize("trouble", [Transient(ErrorCode.INTERNAL_ERROR), ValueError()])
async def test_an_erasure_retries_a_failed_deletion_and_deletes_the_other_visits(
    trouble: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = await services_with(150)
    get = services.store.get

    async def fails(visit_id: str) -> Any:
        if visit_id == "v7":
            raise trouble
        return await get(visit_id)

    with monkeypatch.context() as patch:
        patch.setattr(services.store, "get", fails)
        done = await erase_by_request(services)
        assert not done.is_complete
        assert visits(services) == ["v7"]
        assert (await receipt(services)).completed_at is None
    await minutes(services, int(SWEEP_AGAIN_AFTER / timedelta(minutes=1)))
    assert visits(services) == []
    assert (await receipt(services)).completed_at


async def test_erasure_logs_never_contain_the_user_id() -> None:
    services = await services_with(3)
    await note_erasure(services, "u1")
    logs.configure(to=(written := io.StringIO()))
    await minutes(services, 3)
    logs.configure()
    assert visits(services) == []
    assert "visit_deleted" in written.getvalue()
    assert "u1" not in written.getvalue()


async def test_an_erasure_deletes_action_items_whose_visit_is_missing() -> None:
    services = await services_with(3)
    del services.store.raw["visits/v1"]  # as if a restore had brought back only the action items
    await erase_by_request(services)
    await minutes(services, int(SETTLED_AFTER / timedelta(minutes=1)) + 2)
    assert {path.split("/")[0] for path in services.store.documents()} == {"deletions"}
