"""Routes for visits of all users. Each read is logged for audit before data is shown."""

from typing import Annotated, Literal

from fastapi import Query
from pydantic import Field

from lumimd.api.admin_letters import Reason
from lumimd.api.admin_routing import (
    AsOperator,
    admin_may_answer,
    admin_router,
    mark_of_page,
    place_of,
)
from lumimd.api.listing import Page, Paged
from lumimd.api.routing import OF_A_POST
from lumimd.api.schemas import Instant, Sent, UserId, VisitId
from lumimd.api.views import VisitView
from lumimd.domain.codes import ProblemCode as P
from lumimd.domain.codes import RefusalCode
from lumimd.domain.document import Document
from lumimd.domain.errors import Refused
from lumimd.domain.visit import ProcessingStatus, VisitLine
from lumimd.operations import legal_hold
from lumimd.operations.after_restore import AfterRestore, after_restore
from lumimd.operations.audit import note_reading, read_visit
from lumimd.operations.rerun import From, rerun
from lumimd.operations.timeline import Timeline, timeline
from lumimd.policies.time_budgets import AFTER_RESTORE_REQUEST
from lumimd.stores.operator_store import VisitFilter, mark_of

router = admin_router()

MOST = 300


class VisitLines(Document):
    """A group of visits."""

    items: tuple[VisitLine, ...]


class Again(Sent):
    """The step at which to begin again."""

    begin: Annotated[From, Field(strict=False, alias="from")]


class Holding(Sent):
    """Whether a visit is under legal hold, and why."""

    held: bool
    reason: Reason


class Restored(Sent):
    """The time of the backup that was restored."""

    since: Instant


@router.get("/visits", responses=admin_may_answer())
async def list_visits(
    operator: AsOperator,
    paged: Paged,
    status: Annotated[ProcessingStatus | None, Query(alias="processingStatus")] = None,
    user_id: Annotated[UserId | None, Query(alias="userId")] = None,
    since: Annotated[Instant | None, Query(description="Changed at or after this instant.")] = None,
) -> Page[VisitLine]:
    """List visits by status, last changed first, without titles or other text of a visit."""
    await note_reading(operator, "list_visits", user_id or (status.value if status else "all"))
    wanted = VisitFilter(status, user_id, since)
    found = await operator.services.operators.visits(wanted, paged.limit + 1, mark_of_page(paged))
    return paged.page(found, lambda visit: place_of(mark_of(visit)), lambda visit: visit)


@router.get("/visits/in-trouble", responses=admin_may_answer())
async def list_troubled(
    operator: AsOperator,
    group: Literal["stuck", "much_retried"],
    retries: Annotated[int, Query(ge=1, le=1000, description="Lower limit of `much_retried`.")] = 3,
) -> VisitLines:
    """List visits that are stuck, or that were retried often."""
    await note_reading(operator, "list_visits", group)
    services = operator.services
    if group == "stuck":
        found = await services.operators.stuck(services.clock.now(), MOST)
    else:
        found = await services.operators.much_retried(retries, MOST)
    return VisitLines(items=tuple(found))


@router.get("/visits/{visitId}", responses=admin_may_answer(P.NOT_FOUND))
async def read_one(visit_id: VisitId, operator: AsOperator) -> VisitView:
    """Read a visit with its summary, for an operator who investigates it."""
    return VisitView.of(await read_visit(operator, visit_id))


@router.get("/visits/{visitId}/timeline", responses=admin_may_answer(P.NOT_FOUND))
async def read_timeline(visit_id: VisitId, operator: AsOperator) -> Timeline:
    """Read the timeline of a visit: each stage with its duration, input and output."""
    await note_reading(operator, "read_timeline", visit_id)
    services = operator.services
    stored = await services.store.get(visit_id)
    if stored is None:
        raise Refused(RefusalCode.VISIT_NOT_FOUND)
    history = await services.store.history(visit_id)
    return timeline(VisitLine.of(stored.visit), history, services.clock.now())


@router.post(
    "/visits/{visitId}/rerun",
    status_code=202,
    responses=admin_may_answer(
        *OF_A_POST,
        *(P.NOT_FOUND, P.STILL_PROCESSING, P.RETRY_TOO_SOON, P.NOTHING_TO_RETRY),
        *(P.NO_TRANSCRIPT, P.ALREADY_OVER, P.CHANGED_MEANWHILE, P.LEGAL_HOLD),
    ),
)
async def run_again(visit_id: VisitId, again: Again, operator: AsOperator) -> VisitLine:
    """Process a visit again. From the submission, its transcription is paid for again."""
    return VisitLine.of(await rerun(operator, visit_id, again.begin))


@router.post("/visits/{visitId}/legal-hold", responses=admin_may_answer(*OF_A_POST, P.NOT_FOUND))
async def hold(visit_id: VisitId, holding: Holding, operator: AsOperator) -> VisitLine:
    """Place a visit and its recordings under legal hold, or release them."""
    become = legal_hold.hold if holding.held else legal_hold.release
    return VisitLine.of(await become(operator, visit_id, reason=holding.reason))


@router.post("/after-restore", responses=admin_may_answer(*OF_A_POST))
async def repeat_after_restore(restored: Restored, operator: AsOperator) -> AfterRestore:
    """Repeat all deletions since the restored backup, and set all holds again.

    If `resumeSince` is set, the time was too short for all deletions: send its value as `since`.
    """
    return await after_restore(
        operator, restored.since, operator.services.clock.now() + AFTER_RESTORE_REQUEST
    )
