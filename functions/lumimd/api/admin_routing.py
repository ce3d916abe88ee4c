"""Authorization and problems of operator refusals, shared by all operators' routes."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final, cast

from fastapi import APIRouter, Depends, Path, Request, Response

from lumimd.api.identity import AdminUser
from lumimd.api.listing import Paging
from lumimd.api.problems import Problem
from lumimd.api.routing import SignedInRoute, may_answer
from lumimd.api.services import RequestServices
from lumimd.domain.codes import OperatorCode, ProblemCode
from lumimd.domain.errors import OperatorRefused
from lumimd.domain.ids import ID
from lumimd.operations.operator import Operator, OperatorServices
from lumimd.stores.operator_store import Mark
from lumimd.stores.owner_queries import ListPosition

_PROBLEMS: Final = {
    OperatorCode.NO_DEAD_LETTER: ProblemCode.NOT_FOUND,
    OperatorCode.NO_SUCH_QUEUE: ProblemCode.NOT_FOUND,
    OperatorCode.NO_SUCH_SCHEDULE: ProblemCode.NOT_FOUND,
    OperatorCode.NO_SUCH_BREAKER: ProblemCode.NOT_FOUND,
    OperatorCode.ALREADY_DISCARDED: ProblemCode.CHANGED_MEANWHILE,
    OperatorCode.CHANGED_MEANWHILE: ProblemCode.CHANGED_MEANWHILE,
    OperatorCode.NO_RECORDING: ProblemCode.NOTHING_TO_RETRY,
}
"""The problem for every operator code; a test asserts that every code has an entry."""


class AdminRoute(SignedInRoute):
    """A signed-in route that also answers `OperatorRefused` with a problem."""

    def get_route_handler(self) -> Callable[[Request], Any]:
        """Return the route's handler, which raises a `Problem` for each `OperatorRefused`."""
        handler: Callable[[Request], Awaitable[Response]] = super().get_route_handler()

        async def handled(request: Request) -> Response:
            try:
                return await handler(request)
            except OperatorRefused as refused:
                raise Problem(_PROBLEMS[refused.code]) from refused

        return handled


def admin_router() -> APIRouter:
    """Return a router under /v1/admin for operators."""
    return APIRouter(prefix="/v1/admin", tags=["admin"], route_class=AdminRoute)


def admin_may_answer(*codes: ProblemCode) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of an operators' route: `codes` besides the usual ones."""
    return may_answer(ProblemCode.FORBIDDEN, *codes)


def _operator(user: AdminUser, services: RequestServices) -> Operator:
    return Operator(user.user_id, cast(OperatorServices, services))


AsOperator = Annotated[Operator, Depends(_operator)]
"""The calling operator; the audit log keeps their user id."""

Name = Annotated[str, Path(pattern=ID)]


def mark_of_page(paged: Paging) -> Mark | None:
    """Return the position at which the previous page ended."""
    return Mark(paged.after.created_at, paged.after.id) if paged.after else None


def place_of(mark: Mark) -> ListPosition:
    """Convert a `Mark` to a `ListPosition`."""
    return ListPosition(mark.at, mark.id)
