"""Routes for the services: queues, schedules, breakers, health, statistics, audit log."""

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
from lumimd.api.routing import OF_A_POST
from lumimd.api.schemas import UserId
from lumimd.domain.codes import ProblemCode as P
from lumimd.domain.document import Document
from lumimd.operations import breakers, queues, schedules
from lumimd.operations.breakers import Breakers
from lumimd.operations.costs import Costs, costs
from lumimd.operations.health import HealthReport, health
from lumimd.operations.operator import Operator
from lumimd.operations.queues import Queues
from lumimd.operations.statistics import Statistics, statistics
from lumimd.policies.breaker import Breaker
from lumimd.ports.service_controls import QueueState, ScheduleState
from lumimd.stores.operator_store import AuditEntry, AuditFilter, mark_of

router = admin_router()

Hours = Annotated[int, Query(ge=1, le=24 * 31)]


class Schedules(Document):
    """The scheduled calls."""

    schedules: tuple[ScheduleState, ...]


@router.get("/queues", responses=admin_may_answer())
async def look_at_queues(operator: AsOperator) -> Queues:
    """Read how full the queues are, and how many visits are in each status."""
    return await queues.look(operator)


@router.post("/queues/{name}/{action}", responses=admin_may_answer(*OF_A_POST, P.NOT_FOUND))
async def change_queue(
    name: Name, action: Literal["pause", "resume"], operator: AsOperator
) -> QueueState:
    """Pause or resume a queue. Tasks that are created during a pause wait, and none is lost."""
    change = queues.pause if action == "pause" else queues.resume
    return await change(operator, name)


@router.get("/schedules", responses=admin_may_answer())
async def look_at_schedules(operator: AsOperator) -> Schedules:
    """List the scheduled calls: last run, its result, next run."""
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
    """Run a scheduled call now, pause it, or resume it."""
    return await _SCHEDULE_ACTIONS[action](operator, name)


@router.get("/breakers", responses=admin_may_answer())
async def look_at_breakers(operator: AsOperator) -> Breakers:
    """Read the state of each circuit breaker, its time and its cause."""
    return await breakers.look(operator)


@router.post(
    "/breakers/{name}/reset",
    responses=admin_may_answer(*OF_A_POST, P.NOT_FOUND, P.CHANGED_MEANWHILE),
)
async def reset_breaker(name: Name, operator: AsOperator) -> Breaker:
    """Close a breaker. If the dependency is still down, the breaker opens again automatically."""
    return await breakers.reset(operator, name)


@router.get("/health", responses=admin_may_answer())
async def read_health(operator: AsOperator) -> HealthReport:
    """Check each dependency. The status is 200 even if some dependencies are down: see `ok`."""
    return await health(operator)


@router.get("/statistics", responses=admin_may_answer())
async def read_statistics(operator: AsOperator, hours: Hours = 24) -> Statistics:
    """Read the success rate, times by stage, retry rate and most frequent codes."""
    return await statistics(operator, timedelta(hours=hours))


@router.get("/costs", responses=admin_may_answer())
async def read_costs(operator: AsOperator, hours: Hours = 24) -> Costs:
    """Read the usage of the visits, with retries listed separately.

    There are no amounts of money, because prices are part of a contract.
    """
    return await costs(operator, timedelta(hours=hours))


@router.get("/audit", responses=admin_may_answer())
async def read_audit(
    operator: AsOperator,
    paged: Paged,
    actor: Annotated[UserId | None, Query()] = None,
    target: Annotated[UserId | None, Query(description="A visit, user, queue or schedule.")] = None,
) -> Page[AuditEntry]:
    """List changes and reads by operators, newest first."""
    wanted = AuditFilter(actor, target)
    found = await operator.services.operators.audit(wanted, paged.limit + 1, mark_of_page(paged))
    return paged.page(found, lambda entry: place_of(mark_of(entry)), lambda entry: entry)
