"""A stub HTTP target for tests of local services; it records requests and scripts responses."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

# Long, for a busy machine; only a failing test waits so long.
DEADLINE_S = 30.0
# The servers stop within a second; the remaining time is a margin for a busy machine.
STOP_WITHIN_S = 3.0


@dataclass(frozen=True)
class Received:
    method: str
    path: str
    headers: Headers
    body: bytes
    at: float  # the loop's time


class Worker:
    """An HTTP server that answers 200 until `respond` is replaced and records its requests.

    `received(n)` waits for the n-th request.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.requests: list[Received] = []
        self.respond: Callable[[Received], Awaitable[int]] = self._ok
        self._arrived = asyncio.Condition()

    def answer_in_turn(self, *codes: int) -> None:
        """Answer the next requests with these status codes in turn; repeat the last code."""
        remaining = list(codes)

        async def respond(_: Received) -> int:
            return remaining.pop(0) if len(remaining) > 1 else remaining[0]

        self.respond = respond

    async def received(self, number: int) -> list[Received]:
        async with asyncio.timeout(DEADLINE_S), self._arrived:
            await self._arrived.wait_for(lambda: len(self.requests) >= number)
        return self.requests

    async def handle(self, request: Request) -> Response:
        at = asyncio.get_running_loop().time()
        body = await request.body()
        received = Received(request.method, request.url.path, request.headers, body, at)
        async with self._arrived:
            self.requests.append(received)
            self._arrived.notify_all()
        return Response(status_code=await self.respond(received))

    @staticmethod
    async def _ok(_: Received) -> int:
        return 200


@asynccontextmanager
async def recording_worker() -> AsyncIterator[Worker]:
    listening = socket.create_server(("127.0.0.1", 0))
    worker = Worker(f"http://127.0.0.1:{listening.getsockname()[1]}")
    methods = ["GET", "POST", "PUT"]
    app = Starlette(routes=[Route("/{path:path}", worker.handle, methods=methods)])
    # Open requests of a test are dropped at the end.
    config = uvicorn.Config(app, log_level="critical", lifespan="off", timeout_graceful_shutdown=0)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield worker
    finally:
        server.should_exit = True
        await serving


async def eventually(condition: Callable[[], Awaitable[bool]]) -> None:
    """Poll until the condition holds, for a state (as of a server) that sends no event."""
    async with asyncio.timeout(DEADLINE_S):
        while not await condition():  # no event to wait for: the state is in another process
            await asyncio.sleep(0.02)
