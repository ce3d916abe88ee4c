"""Action items of all visits, and the medications that visits started, stopped or changed."""

from typing import Annotated

from fastapi import Query, Request, Response

from lumimd.api.idempotency import new_id
from lumimd.api.identity import CurrentUser
from lumimd.api.limits import Write
from lumimd.api.listing import Page, Paged
from lumimd.api.ownership import ChangeableAction, OwnAction, not_held
from lumimd.api.problems import Problem
from lumimd.api.routing import OF_A_POST, may_answer, signed_in_router
from lumimd.api.schemas import ActionChange, NewAction
from lumimd.api.services import RequestServices
from lumimd.api.views import ActionView, MedicationLine
from lumimd.domain.codes import ProblemCode as P
from lumimd.domain.commit import Conflict
from lumimd.domain.visit import Action, Visit
from lumimd.stores.owner_queries import ListPosition

router = signed_in_router("actions")


@router.get("/actions", responses=may_answer())
async def list_actions(
    user: CurrentUser,
    services: RequestServices,
    paging: Paged,
    completed: Annotated[bool | None, Query(description="Without it, all action items.")] = None,
) -> Page[ActionView]:
    """List your action items, newest first."""
    found = await services.owner_queries.actions(
        user.user_id, limit=paging.limit + 1, completed=completed, after=paging.after
    )
    return paging.page(found, lambda a: ListPosition(a.created_at, a.action_id), ActionView.of)


@router.post(
    "/actions", status_code=201, responses=may_answer(*OF_A_POST, P.NOT_FOUND, P.LEGAL_HOLD)
)
async def create_action(
    new: NewAction, request: Request, user: CurrentUser, services: RequestServices, _limit: Write
) -> ActionView:
    """Add an action item of your own to a visit."""
    stored = await services.store.get(new.visit_id)
    if stored is None or stored.visit.user_id != user.user_id:
        raise Problem(P.NOT_FOUND)
    await not_held(services, new.visit_id)
    action = Action(
        action_id=new_id(request),
        visit_id=new.visit_id,
        user_id=user.user_id,
        text=new.text,
        evidence=(),
        due_date=new.due_date,
        created_at=services.clock.now(),
    )
    try:
        added = await services.owner_queries.add_action(action)
    except Conflict:  # the request is repeated because its first response was lost
        found = await services.owner_queries.action(action.action_id)
        if found is None:
            raise
        made = found.action
        if (made.user_id, made.visit_id) != (action.user_id, action.visit_id):
            raise Problem(P.IDEMPOTENCY_KEY_REUSED) from None
        added = found
    return ActionView.of(added.action)


@router.get("/actions/{actionId}", responses=may_answer(P.NOT_FOUND, P.ACTION_REPLACED))
async def read_action(found: OwnAction) -> ActionView:
    """Read one action item."""
    return ActionView.of(found.action)


@router.patch(
    "/actions/{actionId}",
    responses=may_answer(
        *(P.NOT_FOUND, P.ACTION_REPLACED, P.LEGAL_HOLD),
        *(P.BODY_TOO_LARGE, P.CHANGED_MEANWHILE, P.RATE_LIMITED),
    ),
)
async def change_action(
    found: ChangeableAction, change: ActionChange, services: RequestServices, _limit: Write
) -> ActionView:
    """Edit or complete an action item. Fields that are left out stay."""
    changes = change.changes()
    if not changes:
        return ActionView.of(found.action)
    changed = found.action.model_copy(update=changes)
    return ActionView.of((await services.owner_queries.save_action(found, changed)).action)


@router.delete(
    "/actions/{actionId}",
    status_code=204,
    responses=may_answer(
        *(P.NOT_FOUND, P.ACTION_REPLACED, P.LEGAL_HOLD), *(P.CHANGED_MEANWHILE, P.RATE_LIMITED)
    ),
)
async def delete_action(
    found: ChangeableAction, services: RequestServices, _limit: Write
) -> Response:
    """Remove an action item."""
    await services.owner_queries.remove_action(found)
    return Response(status_code=204)


@router.get("/medications", responses=may_answer(), tags=["medications"])
async def list_medications(
    user: CurrentUser, services: RequestServices, paging: Paged
) -> Page[MedicationLine]:
    """List the medications that your visits started, stopped or changed, newest visit first.

    `limit` counts visits: a page holds the medications of at most `limit` visits, and may be empty.
    """
    visits = await services.owner_queries.visits(
        user.user_id, limit=paging.limit + 1, after=paging.after
    )
    page = paging.page(visits.items, lambda v: ListPosition(v.created_at, v.visit_id), _lines)
    items = tuple(line for lines in page.items for line in lines)
    return Page[MedicationLine](items=items, next_cursor=page.next_cursor)


def _lines(visit: Visit) -> tuple[MedicationLine, ...]:
    if visit.medications is None:
        return ()
    changes = visit.medications
    return tuple(
        MedicationLine(
            visit_id=visit.visit_id,
            visit_title=visit.title,
            visited_at=visit.created_at,
            change=change,
            medication=medication,
        )
        for change, medications in (
            ("started", changes.started),
            ("stopped", changes.stopped),
            ("changed", changes.changed),
        )
        for medication in medications
    )
