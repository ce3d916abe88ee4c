"""All entry points in this process, with the visits in its memory: what runs without Java.

The bucket, the queue, the scheduler and the speech server are the same as ever, and so is the code
of the pipeline; only the store is another one.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import uvicorn
from functions_framework.aio import create_asgi_app

from infra.local.stack import ENTRY_POINTS, ROOT, Plan
from infra.local.supervision.ports import LOOPBACK
from lumimd import logs, wiring
from lumimd.adapters.memory import MemoryVisitStore
from lumimd.adapters.memory.breakers import MemoryBreakerStore
from lumimd.settings import read


class MemoryStoreParts(wiring.CloudParts):
    """The parts of the cloud, but for the stores."""

    @cached_property
    def store(self) -> MemoryVisitStore:
        """The visits of this process."""
        return MemoryVisitStore()

    @cached_property
    def breakers(self) -> MemoryBreakerStore:
        """The breakers of this process."""
        return MemoryBreakerStore()


@asynccontextmanager
async def serve_functions(planned: Plan, run_dir: Path) -> AsyncIterator[MemoryVisitStore]:
    """Serve every entry point at /NAME on one port; logs go to functions.log in `run_dir`."""
    parts = MemoryStoreParts(read())
    wiring.install(parts)
    source = str(ROOT / "functions" / "main.py")
    create: Any = create_asgi_app  # without types
    apps = {name: create(name, source) for name in ENTRY_POINTS}

    async def dispatch(scope: Any, receive: Any, send: Any) -> None:
        await apps[scope["path"].split("/")[1]](scope, receive, send)

    port = planned.ports[ENTRY_POINTS[0]]
    config = uvicorn.Config(
        dispatch, host=LOOPBACK, port=port, log_config=None, lifespan="off", access_log=False
    )
    server = _Server(config)
    with (run_dir / "functions.log").open("w", buffering=1) as log:
        logs.configure(to=log)
        serving = asyncio.create_task(server.serve())
        try:
            while not server.started and not serving.done():  # noqa: ASYNC110  # it has no event
                await asyncio.sleep(0.01)
            yield parts.store
        finally:
            server.should_exit = True
            await serving
            logs.configure()


class _Server(uvicorn.Server):
    """Leaves the signals to the launcher."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
