"""After a restore: deletions since the backup are repeated, and holds are set again."""

import copy
from datetime import datetime, timedelta

import pytest

from lumimd.domain.commit import Stored
from lumimd.domain.errors import ErrorCode, Refused, Transient
from lumimd.operations import after_restore as restoring
from lumimd.operations import legal_hold
from lumimd.operations.after_restore import after_restore
from lumimd.operations.operator import Operator
from lumimd.pipeline import commands, erase, recover
from lumimd.policies.deployment import Policy
from lumimd.ports.operator_store import AuditFilter, AuditOutcome
from tests.support.operators import OperatedParts, operator

DAY = timedelta(days=1)


@pytest.fixture
def parts() -> OperatedParts:
    return OperatedParts(policy=Policy(bucket="recordings", requires_consent=False))


@pytest.fixture
def olga(parts: OperatedParts) -> Operator:
    return operator(parts)


async def swept(parts: OperatedParts) -> None:
    for _ in range(2):
        parts.clock.advance(timedelta(hours=1))
        await recover.wake_due(parts)


def backup(parts: OperatedParts) -> dict[str, dict[str, object]]:
    return {
        path: copy.deepcopy(each)
        for path, each in parts.store.raw.items()
        if path.split("/")[0] in ("visits", "actions")
    }


async def test_what_was_deleted_since_goes_again_and_the_rest_stays(
    parts: OperatedParts, olga: Operator
) -> None:
    for visit_id in ("kept", "gone", "in-parts"):
        await parts.completed(visit_id)
    kept = backup(parts)
    parts.clock.advance(DAY)
    for visit_id in ("gone", "in-parts"):
        await commands.delete(parts, visit_id)
    await swept(parts)
    for path, document in kept.items():
        if path != "visits/in-parts":
            parts.store.raw[path] = document
    since = parts.clock.now() - 2 * DAY
    found = await after_restore(olga, since)
    assert (found.deleted, found.swept) == (("gone",), ("in-parts",))
    await swept(parts)
    assert {
        visit_id for visit_id in ("kept", "gone", "in-parts") if _is_there(parts, visit_id)
    } == {"kept"}
    again = await after_restore(olga, since)
    assert (again.deleted, again.swept, again.held) == ((), (), ())


def _is_there(parts: OperatedParts, visit_id: str) -> bool:
    paths = (f"visits/{visit_id}", f"actions/{visit_id}")
    return any(path.startswith(paths) for path in parts.store.raw)


async def test_deletions_from_before_the_backup_are_not_looked_at(
    parts: OperatedParts, olga: Operator
) -> None:
    await parts.completed("gone")
    kept = backup(parts)
    await commands.delete(parts, "gone")
    await swept(parts)
    parts.clock.advance(9 * DAY)
    parts.store.raw.update(kept)
    assert (await after_restore(olga, parts.clock.now() - 7 * DAY)).deleted == ()
    assert (await after_restore(olga, parts.clock.now() - 10 * DAY)).deleted == ("gone",)


async def test_the_visits_of_a_user_who_had_everything_deleted_go_again(
    parts: OperatedParts, olga: Operator
) -> None:
    """Also one whose own receipt is missing; a visit from after the deletion stays."""
    await parts.completed("old")
    await erase.note_erasure(parts, "user-1")
    parts.clock.advance(DAY)
    await parts.completed("new")
    found = await after_restore(olga, parts.clock.now() - 2 * DAY)
    assert found.deleted == ("old",)
    assert await parts.store.get("new")


async def test_a_hold_from_after_the_backup_is_set_again(
    parts: OperatedParts, olga: Operator
) -> None:
    await parts.completed("v1")
    kept = backup(parts)
    await legal_hold.hold(olga, "v1", reason="case 17")
    parts.store.raw.update(kept)
    parts.audio.held = set()
    found = await after_restore(olga, parts.clock.now() - DAY)
    assert found.held == ("v1",)
    assert (await parts.get("v1")).legal_hold
    assert len(parts.audio.held) == 1


async def test_a_visit_that_was_deleted_and_comes_back_held_is_left_to_an_operator(
    parts: OperatedParts, olga: Operator
) -> None:
    await parts.completed("v1")
    await legal_hold.hold(olga, "v1", reason="case 17")
    kept = backup(parts)
    await legal_hold.release(olga, "v1", reason="closed")
    await commands.delete(parts, "v1")
    await swept(parts)
    parts.store.raw.update(kept)
    found = await after_restore(olga, parts.clock.now() - DAY)
    assert (found.deleted, found.held_deleted) == ((), ("v1",))
    assert await parts.store.transcript("v1")


async def test_every_deletion_and_hold_is_on_record(parts: OperatedParts, olga: Operator) -> None:
    await parts.completed("v1")
    kept = backup(parts)
    await commands.delete(parts, "v1")
    await swept(parts)
    parts.store.raw.update(kept)
    await after_restore(olga, parts.clock.now() - DAY)
    entries = await parts.operators.audit(AuditFilter(), 10)
    assert {(each.action, each.outcome) for each in entries} == {
        ("after_restore", AuditOutcome.DONE),
        ("delete", AuditOutcome.DONE),
    }


async def test_a_released_visit_of_a_user_who_had_everything_deleted_is_deleted(
    parts: OperatedParts, olga: Operator
) -> None:
    await parts.completed("v1")
    await legal_hold.hold(olga, "v1", reason="case 17")
    await erase.note_erasure(parts, "user-1")
    with pytest.raises(Refused):
        await commands.delete(parts, "v1")
    await legal_hold.release(olga, "v1", reason="closed")
    assert await parts.store.get("v1") is None
    await swept(parts)
    assert not _is_there(parts, "v1")
    assert not await parts.audio.has("recordings", "visits/user-1/v1/")


async def test_where_time_is_over_the_same_call_goes_on_from_there(
    parts: OperatedParts, olga: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restoring, "PAGE", 2)
    names = [f"v{n}" for n in range(5)]
    for name in names:
        await parts.completed(name)
    kept = backup(parts)
    for name in names:
        parts.clock.advance(timedelta(minutes=1))
        await commands.delete(parts, name)
    await swept(parts)
    parts.store.raw.update(kept)
    since: datetime | None = parts.clock.now() - DAY
    deleted: list[str] = []
    calls = 0
    while since is not None:
        found = await after_restore(olga, since, ends_at=parts.clock.now())  # no time at all
        deleted += found.deleted
        since, calls = found.resume_since, calls + 1
    assert (sorted(deleted), calls) == (names, 3)


async def test_a_visit_that_fails_once_is_not_missed(
    parts: OperatedParts, olga: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    await parts.completed("gone")
    kept = backup(parts)
    await commands.delete(parts, "gone")
    await swept(parts)
    parts.store.raw.update(kept)
    get, troubles = parts.store.get, [Transient(ErrorCode.INTERNAL_ERROR)]

    async def fails_once(visit_id: str) -> Stored | None:
        if troubles:
            raise troubles.pop()
        return await get(visit_id)

    monkeypatch.setattr(parts.store, "get", fails_once)
    found = await after_restore(olga, parts.clock.now() - DAY)
    assert (found.deleted, found.missed) == (("gone",), ())
