"""Run the speech server inside a test's event loop, on a free port, for the real SDK."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import uvicorn
from starlette.applications import Starlette

from infra.local.speech.scripted import ScriptedRecognizer
from infra.local.speech.scripts import Script
from infra.local.speech.server import Options, SpeechServer, create_app


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A running server; `url` is the base_url for the SDK."""

    url: str
    state: SpeechServer

    def script(self, script: Script) -> None:
        self.state.scripts.add(script)

    async def settled(self) -> None:
        """Wait until every job has ended and each webhook is delivered or given up."""
        await self.state.queue.idle()


@asynccontextmanager
async def scripted_server(
    *, concurrency: int = 2, fetch: bool = False, webhooks: bool = True
) -> AsyncIterator[RunningServer]:
    """Run a scripted server with jobs that take no time and webhooks retried at once."""
    options = Options(
        concurrency=concurrency, scripted=True, webhooks=webhooks, webhook_retry_s=0.0
    )
    app = create_app(
        options,
        lambda fetcher, scripts: ScriptedRecognizer(
            scripts, fetcher if fetch else None, delay_s=0.0
        ),
    )
    async with serving(app) as url:
        yield RunningServer(url, app.state.server)


@asynccontextmanager
async def serving(app: Starlette) -> AsyncIterator[str]:
    """Serve an ASGI app on 127.0.0.1, and yield the base URL."""
    server = _Server(
        uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", access_log=False)
    )
    task = asyncio.create_task(server.serve())
    waiter = asyncio.create_task(server.listening.wait())
    # A server that cannot start ends its task without listening: wait for either of the two.
    await asyncio.wait({task, waiter}, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        waiter.cancel()
        await task
        raise RuntimeError("the server ended before it listened")
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await task


class _Server(uvicorn.Server):
    """A server that reports when it listens, and leaves signal handlers unchanged."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture no signal: the test runner handles them."""
        yield
