"""What works on the visits: queues, scheduled calls, breakers, health, figures, the audit log."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Annotated, Final, Literal

from fastapi import Query

from lumimd.api.admin_routing import (
    AsOperator,
    Name,
    admin_may_answer,
    admin_router,
    mark_of_page,
    place_of,
)
from lumimd.api.listing import Page, Paged
from lumimd.api.problems import ProblemCode as P
from lumimd.api.routing import OF_A_POST
from lumimd.api.schemas import UserId
from lumimd.domain.document import Document
from lumimd.operations import breakers, queues, schedules
from lumimd.operations.breakers import Breakers
from lumimd.operations.costs import Costs, costs
from lumimd.operations.health import HealthReport, health
from lumimd.operations.operator import Operator
from lumimd.operations.queues import Queues
from lumimd.operations.statistics import Statistics, statistics
from lumimd.policies.breaker import Breaker
from lumimd.ports.operator_store import AuditEntry, AuditFilter, mark_of
from lumimd.ports.service_controls import QueueState, ScheduleState

router = admin_router()

Hours = Annotated[int, Query(ge=1, le=24 * 31)]


class Schedules(Document):
    """The scheduled calls."""

    schedules: tuple[ScheduleState, ...]


@router.get("/queues", responses=admin_may_answer())
async def look_at_queues(operator: AsOperator) -> Queues:
    """How full the queues are, and how many visits stand where."""
    return await queues.look(operator)


@router.post("/queues/{name}/{action}", responses=admin_may_answer(*OF_A_POST, P.NOT_FOUND))
async def change_queue(
    name: Name, action: Literal["pause", "resume"], operator: AsOperator
) -> QueueState:
    """Pause or resume a queue. What is created meanwhile waits; nothing is lost."""
    change = queues.pause if action == "pause" else queues.resume
    return await change(operator, name)


@router.get("/schedules", responses=admin_may_answer())
async def look_at_schedules(operator: AsOperator) -> Schedules:
    """When the scheduled calls ran, how that ended, when they run next."""
    return Schedules(schedules=tuple(await schedules.look(operator)))


_SCHEDULE_ACTIONS: Final[dict[str, Callable[[Operator, str], Awaitable[ScheduleState]]]] = {
    "run": schedules.run,
    "pause": schedules.pause,
    "resume": schedules.resume,
}


@router.post("/schedules/{name}/{action}", responses=admin_may_answer(*OF_A_POST, P.NOT_FOUND))
async def change_schedule(
    name: Name, action: Literal["run", "pause", "resume"], operator: AsOperator
) -> ScheduleState:
    """Make a scheduled call now, make no more of them, or make them again."""
    return await _SCHEDULE_ACTIONS[action](operator, name)


@router.get("/breakers", responses=admin_may_answer())
async def look_at_breakers(operator: AsOperator) -> Breakers:
    """Which dependency is left alone, since when and why."""
    return await breakers.look(operator)


@router.post(
    "/breakers/{name}/reset",
    responses=admin_may_answer(*OF_A_POST, P.NOT_FOUND, P.CHANGED_MEANWHILE),
)
async def reset_breaker(name: Name, operator: AsOperator) -> Breaker:
    """Let calls through again. If the dependency is not back, the breaker opens by itself."""
    return await breakers.reset(operator, name)


@router.get("/health", responses=admin_may_answer())
async def read_health(operator: AsOperator) -> HealthReport:
    """Each dependency, red or green. It is 200 also when some are red: `ok` says so."""
    return await health(operator)


@router.get("/statistics", responses=admin_may_answer())
async def read_statistics(operator: AsOperator, hours: Hours = 24) -> Statistics:
    """Success rate, times by stage, retry rate and the most frequent codes."""
    return await statistics(operator, timedelta(hours=hours))


@router.get("/costs", responses=admin_may_answer())
async def read_costs(operator: AsOperator, hours: Hours = 24) -> Costs:
    """What the visits used, repetitions apart. Prices are a contract's matter: no money here."""
    return await costs(operator, timedelta(hours=hours))


@router.get("/audit", responses=admin_may_answer())
async def read_audit(
    operator: AsOperator,
    paged: Paged,
    actor: Annotated[UserId | None, Query()] = None,
    target: Annotated[UserId | None, Query(description="A visit, a user, a queue, a call.")] = None,
) -> Page[AuditEntry]:
    """Who did what, and who read what, newest first."""
    wanted = AuditFilter(actor, target)
    found = await operator.services.operators.audit(wanted, paged.limit + 1, mark_of_page(paged))
    return paged.page(found, lambda entry: place_of(mark_of(entry)), lambda entry: entry)
