"""The API as an ASGI app: its routes, and the response to every error.

`routing.SignedInRoute` authenticates the caller and looks up the Idempotency-Key. The route then
calls `pipeline/commands.py` to change a visit, or the owner queries to read.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import Response
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from lumimd.api import actions, admin, batches, health, me, visit_commands, visits
from lumimd.api.faults import faults_of
from lumimd.api.idempotency import KEY_HEADER, REPLAYED_HEADER
from lumimd.api.openapi import API_VERSION, openapi, operation_id
from lumimd.api.problems import Problem
from lumimd.api.security import BodyLimit, Bugs, SecurityHeaders
from lumimd.api.services import ApiServices
from lumimd.coordination.rate_limits import TooMany
from lumimd.domain.codes import ProblemCode
from lumimd.domain.commit import Conflict
from lumimd.domain.errors import Refused, Transient, UnreadableDocument
from lumimd.telemetry import logs

ROUTERS: Final = (
    visits.router,
    visit_commands.router,
    batches.router,
    actions.router,
    me.router,
    *admin.ROUTERS,
)


def make_app(services: Callable[[], ApiServices], origins: Sequence[str] = ()) -> FastAPI:
    """Make the app, which gets the services of each request from `services`.

    Args: services: called at every request to get the services. origins: the web pages that may
    call the API, as `https://host`.
    """
    app = FastAPI(
        title="LumiMD",
        version=API_VERSION,
        docs_url=None,  # docs pages load foreign scripts, which the security headers forbid
        redoc_url=None,
        openapi_url="/openapi.json",
        redirect_slashes=False,
        generate_unique_id_function=operation_id,
    )
    app.state.services = services
    for router in (*ROUTERS, health.router):
        app.include_router(router)
    app.openapi = lambda: openapi(app)  # type: ignore[method-assign]
    # The last middleware is the outermost.
    app.add_middleware(BodyLimit)
    app.add_middleware(Bugs)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=list(origins),
        allow_methods=["GET", "POST", "PATCH", "DELETE"],
        allow_headers=["Authorization", "Content-Type", KEY_HEADER],
        expose_headers=["Retry-After", REPLAYED_HEADER],
        # The token is a header and not a cookie, so that a browser never sends it from another
        # page.
        allow_credentials=False,
        max_age=3600,
    )
    app.add_middleware(SecurityHeaders)
    for error, handler in HANDLERS.items():
        app.add_exception_handler(error, handler)
    return app


async def _problem(_request: Request, error: Any) -> Response:
    return error.response()  # type: ignore[no-any-return]


async def _refused(_request: Request, error: Any) -> Response:
    refused: Refused = error
    return Problem(ProblemCode.of(refused.code), retry_after_s=refused.retry_after_s).response()


async def _conflict(_request: Request, _error: Any) -> Response:
    return Problem(ProblemCode.CHANGED_MEANWHILE).response()


async def _too_many(_request: Request, error: Any) -> Response:
    return Problem(ProblemCode.RATE_LIMITED, retry_after_s=error.retry_after_s).response()


async def _transient(_request: Request, error: Any) -> Response:
    logs.failure("api_unavailable", error, code=error.code)
    return Problem(ProblemCode.UNAVAILABLE, retry_after_s=error.retry_after_s or 5.0).response()


async def _unreadable(_request: Request, error: Any) -> Response:
    """Respond to an unreadable document, which the store has already logged by its path."""
    return Problem(ProblemCode.DOCUMENT_UNREADABLE, retry_after_s=error.retry_after_s).response()


async def _invalid(_request: Request, error: Any) -> Response:
    """Name the field and the rule, never the value."""
    return Problem(ProblemCode.INVALID_REQUEST, faults=faults_of(error.errors())).response()


async def _http(request: Request, error: Any) -> Response:
    code = _HTTP_CODES.get(error.status_code, ProblemCode.INVALID_REQUEST)
    response = Problem(code).response()
    if code is ProblemCode.METHOD_NOT_ALLOWED:
        response.headers["Allow"] = ", ".join(sorted(_methods(request)))
    return response


def _methods(request: Request) -> set[str]:
    """Return the methods allowed at a request's path: those of the first path that matches."""
    by_path: dict[str, set[str]] = {}
    for context in iter_route_contexts(request.app.routes):
        if context.path and compile_path(context.path)[0].match(request.url.path):
            methods = getattr(context.route, "methods", None) or ()
            by_path.setdefault(context.path, set()).update(methods)
    return next(iter(by_path.values()), set())


_HTTP_CODES: Final = {
    404: ProblemCode.NOT_FOUND,
    405: ProblemCode.METHOD_NOT_ALLOWED,
    413: ProblemCode.BODY_TOO_LARGE,
}

HANDLERS: Final = {
    Problem: _problem,
    Refused: _refused,
    Conflict: _conflict,
    TooMany: _too_many,
    Transient: _transient,
    UnreadableDocument: _unreadable,
    RequestValidationError: _invalid,
    HTTPException: _http,
}
"""The response to each error. An error that is not listed is a bug (`security.Bugs`)."""
