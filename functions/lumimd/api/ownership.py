"""Ownership: respond 404 for documents of other users, so that an id cannot be guessed."""

from typing import Annotated

from fastapi import Depends

from lumimd.api.identity import CurrentUser
from lumimd.api.problems import Problem
from lumimd.api.schemas import ActionId, VisitId
from lumimd.api.services import ApiServices, RequestServices
from lumimd.domain.codes import ProblemCode, RefusalCode
from lumimd.domain.commit import StoredAction
from lumimd.domain.errors import Refused
from lumimd.domain.visit import Visit
from lumimd.pipeline import commands


async def _own_visit(visit_id: VisitId, user: CurrentUser, services: RequestServices) -> Visit:
    stored = await services.store.get(visit_id)
    if stored is None or stored.visit.user_id != user.user_id:
        raise Problem(ProblemCode.NOT_FOUND)
    return stored.visit


async def _own_action(
    action_id: ActionId, user: CurrentUser, services: RequestServices
) -> StoredAction:
    found = await services.owner_queries.action(action_id)
    if found is None and await services.owner_queries.was_retired(user.user_id, action_id):
        raise Problem(ProblemCode.ACTION_REPLACED)
    if found is None or found.action.user_id != user.user_id:
        raise Problem(ProblemCode.NOT_FOUND)
    return found


async def not_held(services: ApiServices, visit_id: str) -> None:
    """Refuse to change a visit under legal hold, or its documents."""
    stored = await services.store.get(visit_id)
    if stored is not None:
        commands.not_held(stored.visit)
    if await services.deletions.hold_of(visit_id) is not None:
        raise Refused(RefusalCode.LEGAL_HOLD)


async def _changeable_action(found: "OwnAction", services: RequestServices) -> StoredAction:
    await not_held(services, found.action.visit_id)
    return found


OwnVisit = Annotated[Visit, Depends(_own_visit)]
OwnAction = Annotated[StoredAction, Depends(_own_action)]
ChangeableAction = Annotated[StoredAction, Depends(_changeable_action)]
