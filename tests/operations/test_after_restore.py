"""After a restore, deletions since the backup are repeated and legal holds are set again."""

import copy
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import pytest

from lumimd.domain.codes import ErrorCode
from lumimd.domain.commit import Stored
from lumimd.domain.errors import Refused, Transient
from lumimd.operations import after_restore as restoring
from lumimd.operations import legal_hold
from lumimd.operations.after_restore import after_restore
from lumimd.operations.operator import Operator
from lumimd.pipeline import commands, erase, recover
from lumimd.policies.deployment import Policy
from lumimd.stores.operator_store import AuditFilter, AuditOutcome
from tests.support.operators import OperatedServices, operator

DAY = timedelta(days=1)


@pytest.fixture
def services() -> OperatedServices:
    return OperatedServices(policy=Policy(bucket="recordings", requires_consent=False))


@pytest.fixture
def olga(services: OperatedServices) -> Operator:
    return operator(services)


async def swept(services: OperatedServices) -> None:
    for _ in range(2):
        services.clock.advance(timedelta(hours=1))
        await recover.wake_due(services)


def backup(services: OperatedServices) -> dict[str, dict[str, object]]:
    return {
        path: copy.deepcopy(each)
        for path, each in services.store.raw.items()
        if path.split("/")[0] in ("visits", "actions")
    }


async def test_only_visits_deleted_since_the_backup_are_deleted_again(
    services: OperatedServices, olga: Operator
) -> None:
    for visit_id in ("kept", "gone", "in-parts"):
        await services.completed(visit_id)
    kept = backup(services)
    services.clock.advance(DAY)
    for visit_id in ("gone", "in-parts"):
        await commands.delete(services, visit_id)
    await swept(services)
    for path, document in kept.items():
        if path != "visits/in-parts":
            services.store.raw[path] = document
    since = services.clock.now() - 2 * DAY
    found = await after_restore(olga, since)
    assert (found.deleted, found.swept) == (("gone",), ("in-parts",))
    await swept(services)
    assert {
        visit_id for visit_id in ("kept", "gone", "in-parts") if _is_there(services, visit_id)
    } == {"kept"}
    again = await after_restore(olga, since)
    assert (again.deleted, again.swept, again.held) == ((), (), ())


def _is_there(services: OperatedServices, visit_id: str) -> bool:
    paths = (f"visits/{visit_id}", f"actions/{visit_id}")
    return any(path.startswith(paths) for path in services.store.raw)


async def test_deletions_from_before_the_given_date_are_not_repeated(
    services: OperatedServices, olga: Operator
) -> None:
    await services.completed("gone")
    kept = backup(services)
    await commands.delete(services, "gone")
    await swept(services)
    services.clock.advance(9 * DAY)
    services.store.raw.update(kept)
    assert (await after_restore(olga, services.clock.now() - 7 * DAY)).deleted == ()
    assert (await after_restore(olga, services.clock.now() - 10 * DAY)).deleted == ("gone",)


async def test_all_earlier_visits_of_a_deleted_account_are_deleted_again(
    services: OperatedServices, olga: Operator
) -> None:
    """A visit without its own deletion receipt is deleted; a visit that was created later stays."""
    await services.completed("old")
    await erase.note_erasure(services, "user-1")
    services.clock.advance(DAY)
    await services.completed("new")
    found = await after_restore(olga, services.clock.now() - 2 * DAY)
    assert found.deleted == ("old",)
    assert await services.store.get("new")


async def test_a_legal_hold_from_after_the_backup_is_set_again(
    services: OperatedServices, olga: Operator
) -> None:
    await services.completed("v1")
    kept = backup(services)
    await legal_hold.hold(olga, "v1", reason="case 17")
    services.store.raw.update(kept)
    services.audio.held = set()
    found = await after_restore(olga, services.clock.now() - DAY)
    assert found.held == ("v1",)
    assert (await services.get("v1")).legal_hold
    assert len(services.audio.held) == 1


async def test_a_deleted_visit_restored_with_a_legal_hold_is_reported_and_not_deleted(
    services: OperatedServices, olga: Operator
) -> None:
    await services.completed("v1")
    await legal_hold.hold(olga, "v1", reason="case 17")
    kept = backup(services)
    await legal_hold.release(olga, "v1", reason="closed")
    await commands.delete(services, "v1")
    await swept(services)
    services.store.raw.update(kept)
    found = await after_restore(olga, services.clock.now() - DAY)
    assert (found.deleted, found.held_deleted) == ((), ("v1",))
    assert await services.store.transcript("v1")


async def test_each_repeated_deletion_is_in_the_audit_log(
    services: OperatedServices, olga: Operator
) -> None:
    await services.completed("v1")
    kept = backup(services)
    await commands.delete(services, "v1")
    await swept(services)
    services.store.raw.update(kept)
    await after_restore(olga, services.clock.now() - DAY)
    entries = await services.operators.audit(AuditFilter(), 10)
    assert {(each.action, each.outcome) for each in entries} == {
        ("after_restore", AuditOutcome.DONE),
        ("delete", AuditOutcome.DONE),
    }


async def test_a_visit_of_a_deleted_account_is_deleted_when_its_legal_hold_is_released(
    services: OperatedServices, olga: Operator
) -> None:
    await services.completed("v1")
    await legal_hold.hold(olga, "v1", reason="case 17")
    await erase.note_erasure(services, "user-1")
    with pytest.raises(Refused):
        await commands.delete(services, "v1")
    await legal_hold.release(olga, "v1", reason="closed")
    assert await services.store.get("v1") is None
    await swept(services)
    assert not _is_there(services, "v1")
    assert not await services.audio.has("recordings", "visits/user-1/v1/")


@pytest.mark.parametrize("then", ["kept", "deleted"])
@pytest.mark.parametrize("overtaken_by", ["get", "hold_of"])
async def test_a_concurrent_release_of_a_legal_hold_is_kept_and_blocks_no_deletion(
    services: OperatedServices,
    olga: Operator,
    monkeypatch: pytest.MonkeyPatch,
    overtaken_by: str,
    then: str,
) -> None:
    """Another operator releases the legal hold after `after_restore` listed or read the mark."""
    for visit_id in ("gone", "held"):
        await services.completed(visit_id)
    kept = backup(services)
    await legal_hold.hold(olga, "held", reason="case 17")
    await commands.delete(services, "gone")
    await swept(services)
    services.store.raw.update(kept)
    reader = services.store if overtaken_by == "get" else services.deletions
    read: Callable[[str], Awaitable[object]] = getattr(reader, overtaken_by)

    async def release_after_reading(visit_id: str) -> object:
        found = await read(visit_id)
        if visit_id == "held":
            monkeypatch.setattr(reader, overtaken_by, read)
            await legal_hold.release(olga, "held", reason="closed")
            if then == "deleted":
                await commands.delete(services, "held")
        return found

    monkeypatch.setattr(reader, overtaken_by, release_after_reading)
    found = await after_restore(olga, services.clock.now() - DAY)
    assert ("gone" in found.deleted, found.held, found.missed) == (True, (), ())
    stored = await services.store.get("held")
    assert stored is None if then == "deleted" else stored and not stored.visit.legal_hold


async def test_an_exception_with_one_visit_is_reported_and_other_visits_are_deleted(
    services: OperatedServices, olga: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    for visit_id in ("broken", "gone"):
        await services.completed(visit_id)
    kept = backup(services)
    for visit_id in ("broken", "gone"):
        await commands.delete(services, visit_id)
    await swept(services)
    services.store.raw.update(kept)
    get = services.store.get

    async def breaks(visit_id: str) -> Stored | None:
        if visit_id == "broken":
            raise ValueError(visit_id)
        return await get(visit_id)

    monkeypatch.setattr(services.store, "get", breaks)
    found = await after_restore(olga, services.clock.now() - DAY)
    assert (found.deleted, found.missed) == (("gone",), ("broken",))


async def test_after_the_time_limit_the_next_after_restore_call_continues(
    services: OperatedServices, olga: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restoring, "PAGE", 2)
    names = [f"v{n}" for n in range(5)]
    for name in names:
        await services.completed(name)
    kept = backup(services)
    for name in names:
        services.clock.advance(timedelta(minutes=1))
        await commands.delete(services, name)
    await swept(services)
    services.store.raw.update(kept)
    since: datetime | None = services.clock.now() - DAY
    deleted: list[str] = []
    calls = 0
    while since is not None:
        found = await after_restore(olga, since, ends_at=services.clock.now())  # no time left
        deleted += found.deleted
        since, calls = found.resume_since, calls + 1
    assert (sorted(deleted), calls) == (names, 3)


async def test_a_visit_with_a_transient_error_is_retried_in_the_same_call(
    services: OperatedServices, olga: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    await services.completed("gone")
    kept = backup(services)
    await commands.delete(services, "gone")
    await swept(services)
    services.store.raw.update(kept)
    get, troubles = services.store.get, [Transient(ErrorCode.INTERNAL_ERROR)]

    async def fails_once(visit_id: str) -> Stored | None:
        if troubles:
            raise troubles.pop()
        return await get(visit_id)

    monkeypatch.setattr(services.store, "get", fails_once)
    found = await after_restore(olga, services.clock.now() - DAY)
    assert (found.deleted, found.missed) == (("gone",), ())
