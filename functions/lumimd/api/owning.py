"""What is the caller's own. What is not, does not exist: 404, so that no id can be guessed."""

from typing import Annotated

from fastapi import Depends

from lumimd.api.identity import CurrentUser
from lumimd.api.parts import PartsOfApi
from lumimd.api.problems import Problem, ProblemCode
from lumimd.api.schemas import ActionId, VisitId
from lumimd.commit import StoredAction
from lumimd.records import Visit


async def _own_visit(visit_id: VisitId, user: CurrentUser, parts: PartsOfApi) -> Visit:
    stored = await parts.store.get(visit_id)
    if stored is None or stored.visit.user_id != user.user_id:
        raise Problem(ProblemCode.NOT_FOUND)
    return stored.visit


async def _own_action(action_id: ActionId, user: CurrentUser, parts: PartsOfApi) -> StoredAction:
    found = await parts.library.action(action_id)
    if found is None and await parts.library.was_retired(user.user_id, action_id):
        raise Problem(ProblemCode.ACTION_REPLACED)
    if found is None or found.action.user_id != user.user_id:
        raise Problem(ProblemCode.NOT_FOUND)
    return found


OwnVisit = Annotated[Visit, Depends(_own_visit)]
OwnAction = Annotated[StoredAction, Depends(_own_action)]
