"""Operators control queues, scheduled calls and breakers, and read health and doctor, in memory."""

import asyncio
from datetime import timedelta
from functools import partial

import pytest

from lumimd.domain.codes import ErrorCode, OperatorCode
from lumimd.domain.errors import OperatorRefused, Transient
from lumimd.operations import audit, breakers, queues, schedules
from lumimd.operations.doctor import Level, diagnose
from lumimd.operations.health import health
from lumimd.operations.operator import Operator
from lumimd.policies.breaker import MODEL, Breaker, Reason, State, key_of
from lumimd.ports.service_controls import RunState
from lumimd.stores.operator_store import AuditFilter, AuditOutcome
from tests.support.operators import QUEUE, SCHEDULE, OperatedServices
from tests.unit.policies.test_retry import jumping_loop

NONE: tuple[str, ...] = ()


async def test_the_visit_counts_of_the_queues_match_the_stored_visits(
    services: OperatedServices, olga: Operator
) -> None:
    await services.submitted("v1")
    await services.transcribed("v2")
    await services.completed("v3")
    await services.partial("v4")
    found = (await queues.look(olga)).visits
    assert (found.waiting, found.active, found.completed, found.failed) == (0, 2, 1, 1)


async def test_pause_and_resume_of_a_queue_are_in_the_audit_log(
    services: OperatedServices, olga: Operator
) -> None:
    assert (await queues.pause(olga, QUEUE)).state is RunState.PAUSED
    services.clock.advance(timedelta(minutes=1))
    assert (await queues.resume(olga, QUEUE)).state is RunState.RUNNING
    resumed, paused = await services.operators.audit(AuditFilter(target=QUEUE), 10)
    assert (paused.action, paused.before, paused.after) == (
        "pause_queue",
        {"state": "running"},
        {"state": "paused"},
    )
    assert (resumed.action, resumed.before, resumed.after) == (
        "resume_queue",
        {"state": "paused"},
        {"state": "running"},
    )


async def test_scheduled_calls_are_run_paused_and_resumed(
    services: OperatedServices, olga: Operator
) -> None:
    await schedules.run(olga, SCHEDULE)
    assert services.schedules.runs == [SCHEDULE]
    assert (await schedules.pause(olga, SCHEDULE)).state is RunState.PAUSED
    assert (await schedules.resume(olga, SCHEDULE)).state is RunState.RUNNING
    assert len(await services.operators.audit(AuditFilter(target=SCHEDULE), 10)) == 3


async def test_a_refusal_for_an_unknown_name_is_in_the_audit_log(
    services: OperatedServices, olga: Operator
) -> None:
    with pytest.raises(OperatorRefused) as queue:
        await queues.pause(olga, "nothing")
    with pytest.raises(OperatorRefused) as schedule:
        await schedules.run(olga, "nothing")
    assert queue.value.code is OperatorCode.NO_SUCH_QUEUE
    assert schedule.value.code is OperatorCode.NO_SUCH_SCHEDULE
    entries = await services.operators.audit(AuditFilter(target="nothing"), 10)
    assert {entry.outcome for entry in entries} == {AuditOutcome.REFUSED}


async def opened(services: OperatedServices) -> None:
    now = services.clock.now()
    breaker = Breaker(
        name=MODEL.name,
        state=State.OPEN,
        opened_at=now,
        changed_at=now,
        reason=Reason.FAILURES_IN_A_ROW,
    )
    await services.breakers.save(key_of(breaker.name), None, breaker)


async def test_an_open_breaker_is_shown_and_an_operator_can_reset_it(
    services: OperatedServices, olga: Operator
) -> None:
    await opened(services)
    states = {each.name: each.state for each in (await breakers.look(olga)).breakers}
    assert states == {
        "transcription": State.CLOSED,
        "orders": State.CLOSED,
        "model": State.OPEN,
    }
    services.clock.advance(timedelta(minutes=1))
    assert (await breakers.reset(olga, "model")).changed_at == services.clock.now()
    assert all(each.is_closed for each in (await breakers.look(olga)).breakers)
    (entry,) = await services.operators.audit(AuditFilter(target="model"), 10)
    assert entry.before == {"state": "open", "reason": "failures_in_a_row"}
    assert entry.after == {"state": "closed", "reason": None}
    with pytest.raises(OperatorRefused):
        await breakers.reset(olga, "toaster")


async def test_no_change_is_made_while_the_audit_log_is_down(
    services: OperatedServices, olga: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def down(entry: object) -> None:
        raise Transient(ErrorCode.INTERNAL_ERROR)

    await services.completed("v1")
    monkeypatch.setattr(services.operators, "append_audit", down)
    with pytest.raises(Transient):
        await queues.pause(olga, QUEUE)
    assert (await services.queues.all())[0].state is RunState.RUNNING
    with pytest.raises(Transient):
        await audit.read_visit(olga, "v1")


async def test_a_read_of_a_visit_is_logged_before_the_visit_is_shown(
    services: OperatedServices, olga: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    await services.completed("v1")
    order: list[str] = []
    append, get = services.operators.append_audit, services.store.get

    async def noted(entry: object) -> None:
        order.append("noted")
        await append(entry)  # type: ignore[arg-type]

    async def read(visit_id: str) -> object:
        order.append("read")
        return await get(visit_id)

    monkeypatch.setattr(services.operators, "append_audit", noted)
    monkeypatch.setattr(services.store, "get", read)
    await audit.read_visit(olga, "v1")
    assert order == ["noted", "read"]
    (entry,) = await services.operators.audit(AuditFilter(), 10)
    assert (entry.actor, entry.action, entry.target) == ("olga", "read_visit", "v1")


async def test_an_exception_during_an_action_leaves_a_failed_audit_entry(
    services: OperatedServices, olga: Operator
) -> None:
    with pytest.raises(ZeroDivisionError):
        async with audit.audited(olga, "try", "something"):
            raise ZeroDivisionError
    (entry,) = await services.operators.audit(AuditFilter(), 10)
    assert (entry.outcome, entry.code) == (AuditOutcome.FAILED, "ZeroDivisionError")


async def test_a_process_that_ends_during_an_action_leaves_a_begun_audit_entry(
    services: OperatedServices, olga: Operator
) -> None:
    doing = audit.audited(olga, "try", "something")
    await doing.__aenter__()
    (entry,) = await services.operators.audit(AuditFilter(), 10)
    assert (entry.outcome, entry.ended_at) == (AuditOutcome.BEGUN, None)


async def colours(olga: Operator) -> dict[str, bool]:
    return {each.name: each.ok for each in (await health(olga)).dependencies}


async def test_health_of_working_services_reports_every_dependency_as_ok(olga: Operator) -> None:
    assert set((await colours(olga)).values()) == {True}


async def break_the_store(services: OperatedServices, patch: pytest.MonkeyPatch) -> None:
    async def down(visit_id: str) -> None:
        raise Transient(ErrorCode.INTERNAL_ERROR)

    patch.setattr(services.store, "get", down)


async def break_the_queue(services: OperatedServices, patch: pytest.MonkeyPatch) -> None:
    await services.queues.pause(QUEUE)


async def break_the_scheduler(services: OperatedServices, patch: pytest.MonkeyPatch) -> None:
    async def wrong() -> None:
        raise ConnectionResetError("with unknown words")

    patch.setattr(services.schedules, "all", wrong)


async def break_the_model(services: OperatedServices, patch: pytest.MonkeyPatch) -> None:
    await opened(services)


@pytest.mark.parametrize(
    ("break_it", "name"),
    [
        (break_the_store, "store"),
        (break_the_queue, "queues"),
        (break_the_scheduler, "scheduler"),
        (break_the_model, "breaker: model"),
    ],
)
async def test_health_reports_only_the_dependency_that_is_down_as_failing(
    break_it: partial[None],
    name: str,
    services: OperatedServices,
    olga: Operator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await break_it(services, monkeypatch)
    found = await health(olga)
    assert [each.name for each in found.dependencies if not each.ok] == [name]
    assert not found.ok
    assert "unknown words" not in str(found)


def test_health_reports_a_hanging_dependency_as_failing_after_five_seconds(
    services: OperatedServices, olga: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(visit_id: str) -> None:
        await asyncio.sleep(3600)

    monkeypatch.setattr(services.store, "get", hang)
    loop = jumping_loop()
    try:
        found = loop.run_until_complete(health(olga))
        assert loop.time() == 5.0
    finally:
        loop.close()
    assert {each.name: each.said for each in found.dependencies if not each.ok} == {
        "store": "no answer within 5 s"
    }


async def test_doctor_finds_no_problem_in_a_healthy_deployment(
    services: OperatedServices, olga: Operator
) -> None:
    await services.completed("v1")
    found = await diagnose(olga, lambda: NONE)
    assert found.ok
    assert {each.level for each in found.findings} == {Level.OK}


async def test_doctor_lists_every_problem(services: OperatedServices, olga: Operator) -> None:
    await services.partial("v1")
    await services.submitted("v2")
    await services.queues.pause(QUEUE)
    services.clock.advance(timedelta(hours=1))
    found = await diagnose(olga, lambda: ["WEBHOOK_SECRET: Field required"])
    assert not found.ok
    said = {each.subject: (each.level, each.sentence) for each in found.findings}
    assert said["configuration"] == (Level.PROBLEM, "WEBHOOK_SECRET: Field required")
    assert said["queues"] == (Level.PROBLEM, f"Not running: {QUEUE}; tasks wait.")
    assert said["stuck visits"][0] is Level.PROBLEM
    assert said["stuck visits"][1].startswith("1 visit is overdue")
    assert said["dead letters"][0] is Level.WARNING
    assert said["success"] == (
        Level.WARNING,
        "0 of 1 visit completed in the last 24 hours.",
    )


async def test_without_a_store_doctor_still_reports_the_other_dependencies(
    services: OperatedServices, olga: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    await break_the_store(services, monkeypatch)
    found = await diagnose(olga, lambda: NONE)
    said = {each.subject: each.level for each in found.findings}
    assert said["store"] is Level.PROBLEM
    assert said["scheduler"] is Level.OK
    assert "stuck visits" not in said
