"""The route class for signed-in users: it authenticates, then applies idempotency."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from fastapi import APIRouter, Depends, Request, Response
from fastapi.routing import APIRoute

from lumimd.api.idempotency import KEY_HEADER, key_header, once
from lumimd.api.identity import authenticate
from lumimd.api.limits import limited
from lumimd.api.problems import documented
from lumimd.api.services import api_services
from lumimd.domain.codes import ProblemCode

EVERYWHERE: Final = (
    ProblemCode.UNAUTHENTICATED,
    ProblemCode.TOKEN_EXPIRED,
    ProblemCode.TOKEN_REVOKED,
    ProblemCode.ACCOUNT_DISABLED,
    ProblemCode.UNUSABLE_USER_ID,
    ProblemCode.INVALID_REQUEST,
    ProblemCode.INTERNAL_ERROR,
    ProblemCode.UNAVAILABLE,
    ProblemCode.DOCUMENT_UNREADABLE,
)
"""The problems with which every route of a signed-in user may respond."""

OF_A_POST: Final = (
    ProblemCode.BODY_TOO_LARGE,
    ProblemCode.IDEMPOTENCY_KEY_REUSED,
    ProblemCode.REQUEST_IN_PROGRESS,
    ProblemCode.RATE_LIMITED,
)


class SignedInRoute(APIRoute):
    """Authenticates the caller before it reads the body; a POST honours its Idempotency-Key.

    The rate-limit token that a route names is taken after its request was validated (`limits.py`).
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        if "POST" in (options.get("methods") or ()):
            options["dependencies"] = [*(options.get("dependencies") or ()), Depends(key_header)]
        super().__init__(path, limited(endpoint), **options)

    def get_route_handler(self) -> Callable[[Request], Any]:
        """Return the route's handler, which authenticates first."""
        handler: Callable[[Request], Awaitable[Response]] = super().get_route_handler()

        async def authenticated(request: Request) -> Response:
            user = await authenticate(request)
            await request.body()  # read here, so that a body over the limit gets its own code
            key = request.headers.get(KEY_HEADER)
            if request.method != "POST" or key is None:
                return await handler(request)
            return await once(api_services(request), user.user_id, key, request, handler)

        return authenticated


def signed_in_router(tag: str) -> APIRouter:
    """Return a router under /v1 for signed-in users."""
    return APIRouter(prefix="/v1", tags=[tag], route_class=SignedInRoute)


def may_answer(*codes: ProblemCode) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of a route: `codes` besides those of every route."""
    return documented(*EVERYWHERE, *codes)
