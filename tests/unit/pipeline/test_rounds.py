"""Test that a scheduled run executes each part, ends in time and logs unfinished work."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import Transient
from lumimd.domain.visit import Status
from lumimd.pipeline import accept, collect, commands, delete, reconcile, recover, retain
from lumimd.policies import time_budgets
from lumimd.policies.deployment import Policy
from lumimd.policies.permits import Cap
from lumimd.ports.transcriber import Transcribed
from lumimd.telemetry import logs
from tests.monitoring.lines import Lines
from tests.support.services import MemoryServices, transcribed, transcript, upload
from tests.support.visits import run_tasks, visit_of, wake_after

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
DEPLOYMENT = json.loads((Path(__file__).parents[3] / "infra" / "deployment.json").read_text())[
    "functions"
]
AWAY = Transient(ErrorCode.INTERNAL_ERROR)


class Killed(BaseException):
    """A simulated kill of the process."""


@pytest.fixture
def services() -> MemoryServices:
    return MemoryServices(
        policy=Policy(bucket="recordings", requires_consent=False, transcript_retention=90 * DAY)
    )


@pytest.fixture
def lines() -> Iterator[Lines]:
    logs.configure(to=(written := Lines()))
    yield written
    logs.configure()


def broken(raises: Exception) -> Any:
    async def call(*_: object, **__: object) -> None:
        raise raises

    return call


async def wake(services: MemoryServices) -> type[BaseException] | None:
    services.clock.advance(MINUTE)
    try:
        await recover.wake_due(services)
    except Exception as raised:
        return type(raised)
    return None


async def crash_once(services: MemoryServices, visit_id: str) -> None:
    """Kill the worker while the recording of the visit is open."""

    async def killed(*_: object) -> None:
        raise Killed

    whole, services.audio.measure = services.audio.measure, killed  # type: ignore[method-assign]
    with pytest.raises(Killed):
        await accept.accept(services, services.upload(visit_id))
    services.audio.measure = whole  # type: ignore[method-assign]


PARTS = ("store.due", "admission.admit_waiting", "deletions.due")


@pytest.mark.parametrize("raises", [ValueError("bug"), AWAY], ids=["bug", "away"])
@pytest.mark.parametrize("part", PARTS)
async def test_a_failing_part_of_the_scheduled_run_does_not_stop_the_other_parts(
    part: str, raises: Exception, lines: Lines
) -> None:
    services = MemoryServices(cap=Cap(2, 2))
    await crash_once(services, "suspect")
    for name in ("one", "two", "waits"):
        await accept.accept(services, services.upload(name, user_id=name))
    await just_deleted(services, "deleted")
    await commands.cancel(services, "one")
    await services.admission.left("one", 1)
    owner, method = part.split(".")
    setattr(getattr(services, owner), method, broken(raises))
    raised = {await wake(services) for _ in range(5)}
    assert raised == {Transient if raises is AWAY else ExceptionGroup}
    processed = {
        "admission.admit_waiting": any(o.visit_id == "waits" for o in services.transcriber.orders),
        "deletions.due": services.store.raw["deletions/deleted"]["counts"].get("recordings") == 1,
    }
    processed.pop(part, None)
    assert all(processed.values()), processed
    if part != "store.due":
        leased = {line.get("visitId") for line in lines.of("submission_claimed")}
        assert "suspect" in leased, "the suspects run too"
    partial = lines.of("run_was_partial")
    assert {(each["operation"], each["outcome"]) for each in partial} == {
        ("wake_due_visits", "failed")
    }


async def just_deleted(services: MemoryServices, visit_id: str) -> None:
    """Create and delete a visit; its recording still exists."""
    await commands.create(services, visit_id=visit_id, user_id="user-1", consent=True)
    stored = await services.store.get(visit_id)
    assert stored
    audio = services.upload(visit_id).audio
    changed = stored.visit.model_copy(update={"audio": audio})
    receipt = delete._of(services, changed)
    await services.deletions.begin(stored, receipt)


async def test_the_heartbeat_is_logged_unless_the_fair_queue_fails(
    services: MemoryServices, lines: Lines
) -> None:
    whole = services.deletions.due
    services.deletions.due = broken(ValueError())  # type: ignore[method-assign]
    await wake(services)
    assert len(lines.of("woke_due_visits")) == 1
    services.deletions.due = whole  # type: ignore[method-assign]
    services.admission.admit_waiting = broken(ValueError())  # type: ignore[method-assign]
    await wake(services)
    assert len(lines.of("woke_due_visits")) == 1


async def test_a_failed_reconciliation_does_not_stop_retention(
    services: MemoryServices, lines: Lines
) -> None:
    await transcribed(services)
    await run_tasks(services)
    services.clock.advance(31 * DAY + timedelta(hours=reconcile.AT_HOUR - 9))
    assert services.clock.now().hour == reconcile.AT_HOUR
    for method in ("uploads", "has"):
        setattr(services.audio, method, broken(AWAY))
    services.transcriber.listed = broken(ValueError())  # type: ignore[method-assign]
    with pytest.raises(ExceptionGroup):
        await retain.hourly(services)
    assert (await visit_of(services)).audio_erased_at
    (partial,) = lines.of("run_was_partial")
    assert (partial["operation"], partial["count"]) == ("reconcile", 2)
    assert lines.one("retention_enforced")["count"] == 1


async def test_reconciliation_continues_after_an_error_of_one_recording(
    services: MemoryServices, lines: Lines
) -> None:
    for name in ("bad", "good"):
        services.audio.put(upload(name).audio, b"", at=services.clock.now())
    whole = services.store.get

    async def get(visit_id: str) -> Any:
        if visit_id == "bad":
            raise ValueError
        return await whole(visit_id)

    services.store.get = get  # type: ignore[method-assign]
    services.clock.advance(2 * HOUR)
    with pytest.raises(ExceptionGroup):
        await reconcile.reconcile(services)
    assert "visits/good" in services.store.raw
    assert lines.one("reconciliation_failed")["visitId"] == "bad"
    assert lines.one("run_was_partial")["count"] == 1


async def test_a_retention_run_out_of_time_is_logged_and_the_next_run_continues(
    services: MemoryServices, lines: Lines
) -> None:
    services.policy = replace(services.policy, transcript_retention=None)
    names = [f"v{number}" for number in range(4 * retain.AT_ONCE)]
    for name in names:
        await transcribed(services, name)
    await run_tasks(services)
    services.clock.advance(31 * DAY)
    whole = services.audio.erase

    async def slow(*args: Any, **more: Any) -> int:
        services.clock.advance(timedelta(seconds=20))
        return await whole(*args, **more)

    services.audio.erase = slow  # type: ignore[method-assign]
    began_at = services.clock.now()
    first = await retain.enforce(services)
    assert 0 < first["recordings_erased"] < len(names)
    assert services.clock.now() - began_at < timedelta(minutes=13) + retain.AT_ONCE * (
        timedelta(seconds=20)
    )
    partial = lines.one("run_was_partial")
    assert (partial["operation"], partial["outcome"]) == ("enforce_retention", "out_of_time")
    runs = [first["recordings_erased"]]
    while sum(runs) < len(names):
        services.clock.advance(HOUR)
        runs.append((await retain.enforce(services))["recordings_erased"])
        assert runs[-1] > 0
    assert not services.audio._content


@pytest.mark.parametrize("kinds", [("waiting",), ("older",), ("with_audio",)])
async def test_a_failing_retention_query_does_not_stop_the_other_rules(
    services: MemoryServices, kinds: tuple[str, ...]
) -> None:
    await commands.create(services, visit_id="idle", user_id="user-1", consent=True)
    services.clock.advance(60 * DAY)
    announced = {"announced_at": services.clock.now()}
    await accept.accept(services, services.upload("recorded").model_copy(update=announced))
    services.transcriber.finish("job-0", Transcribed(transcript()))
    await collect.collect(services, "recorded", 1, "job-0")
    await run_tasks(services)
    services.store.raw["visits/old"] = {
        **services.store.raw["visits/recorded"],
        "visitId": "old",
        "createdAt": services.clock.now() - 80 * DAY,
    }
    services.clock.advance(31 * DAY)
    for kind in kinds:
        setattr(services.retention_queries, kind, broken(AWAY))
    with pytest.raises(Transient):
        await retain.enforce(services)
    idle = await services.store.get("idle")
    done = {
        "waiting": idle is None or idle.visit.status is Status.EXPIRED,
        "older": "deletions/old" in services.store.raw,
        "with_audio": (await visit_of(services, "recorded")).audio_erased_at is not None,
    }
    assert all(done[kind] for kind in done if kind not in kinds)


async def test_a_scheduled_run_out_of_time_ends_and_the_next_run_continues(
    services: MemoryServices, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recover, "BATCH", 2)
    for number in range(6):
        await accept.accept(services, services.upload(f"v{number}"))
    whole = services.transcriber.fetch

    async def slow(transcript_id: str) -> Any:
        services.clock.advance(MINUTE)
        return await whole(transcript_id)

    services.transcriber.fetch = slow  # type: ignore[method-assign]
    await wake_after(services, MINUTE)
    assert lines.one("run_was_partial")["outcome"] == "out_of_time"
    polled = {line["visitId"] for line in lines.of("transcription_polled")}
    assert polled == {"v0", "v1"}
    await recover.wake_due(services)
    polled = {line["visitId"] for line in lines.of("transcription_polled")}
    assert {"v2", "v3"} <= polled, "the next run starts with the longest overdue visits"


@pytest.mark.parametrize(
    ("function", "within"),
    [
        ("wake_due_visits", time_budgets.RECOVERY_RUN),
        ("enforce_retention", time_budgets.RETENTION_RUN),
    ],
)
def test_each_scheduled_run_ends_a_minute_before_the_timeout_of_its_function(
    function: str, within: timedelta
) -> None:
    assert within + MINUTE <= timedelta(seconds=DEPLOYMENT[function]["timeout_seconds"])


def test_reconciliation_leaves_five_minutes_of_the_run_for_retention() -> None:
    assert time_budgets.RECONCILIATION_RUN + 5 * MINUTE <= time_budgets.RETENTION_RUN
