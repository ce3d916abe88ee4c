"""Security of every request and response: headers, origins, size."""

from collections.abc import AsyncIterator, MutableMapping
from typing import Any, Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lumimd.api.problems import Problem
from lumimd.domain.codes import ProblemCode
from lumimd.telemetry import logs

MAX_BODY_BYTES: Final = 256 * 1024
"""The largest body; a batch of 100 visits with the longest titles and tags is under 100 KB."""

HEADERS: Final = {
    # The API responds with JSON only, so a browser may load, frame or execute nothing.
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "Cross-Origin-Resource-Policy": "same-site",
    # No cache may keep the text of a visit.
    "Cache-Control": "no-store",
}


class SecurityHeaders:
    """Adds `HEADERS` to every response, including the responses to bugs."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""

        async def with_headers(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, with_headers)


class BrokenOff(Exception):
    """A response failed after it had begun; the server closes the connection.

    The web server and the framework print an exception with its message and its causes. This
    exception has neither, and replaces the original one, whose class was logged.
    """


async def whole_or_broken_off(first: bytes, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield a streamed response whose first piece exists already.

    Raises:
        BrokenOff: a further piece could not be made.
    """
    yield first
    try:
        async for piece in pieces:
            yield piece
    except Exception as error:
        logs.failure("answer_broken_off", error)
    else:
        return
    raise BrokenOff


class Bugs:
    """Responds 500 to unexpected errors, inside of the middleware for headers.

    If a response has begun, the connection is closed, so that no client takes it for complete.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        begun = False

        async def noted(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, noted)
        except BrokenOff:
            pass  # `whole_or_broken_off` has logged it
        except Exception as bug:
            logs.failure("bug", bug)
        else:
            return
        if begun:  # raised outside of `except`, it has no cause that a server could print
            raise BrokenOff
        await Problem(ProblemCode.INTERNAL_ERROR).response()(scope, receive, send)


class BodyLimit:
    """Refuses a body over `MAX_BODY_BYTES`, with or without a Content-Length."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        announced = Headers(scope=scope).get("content-length", "") if "headers" in scope else ""
        if announced.isdecimal() and int(announced) > MAX_BODY_BYTES:
            await Problem(ProblemCode.BODY_TOO_LARGE).response()(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > MAX_BODY_BYTES:
                raise Problem(ProblemCode.BODY_TOO_LARGE)
            return message

        await self._app(scope, counted, send)
