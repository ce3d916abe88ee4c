"""Runs all entry points in this process, with the visits in its memory, so Java is not needed.

Only the stores differ from the stack with emulators. The bucket, the queue, the scheduler, the
speech server and the pipeline are the same.
"""

import asyncio
import traceback
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

import uvicorn
from functions_framework.aio import create_asgi_app

from infra.local.stack import ENTRY_POINTS, ROOT, Plan
from infra.local.supervision.ports import LOOPBACK
from lumimd.adapters.memory import MemoryVisitStore
from lumimd.runtime import services as runtime_services
from lumimd.runtime.api import ApiCloudServices
from lumimd.runtime.settings import read
from lumimd.telemetry import logs

GRACE_S: Final = 10
"""The same as on Cloud Run, so that a function that hangs does not block the end of the stack."""


class FunctionsFailed(Exception):
    """The functions cannot be loaded; the message has the reason and the place in the code."""

    def __init__(self, error: BaseException) -> None:
        where = traceback.extract_tb(error.__traceback__)[-1]
        kind = type(error).__name__
        super().__init__(f"The functions do not start: {kind}: {error} ({where[0]}:{where[1]})")


@asynccontextmanager
async def serve_functions(planned: Plan, run_dir: Path) -> AsyncIterator[MemoryVisitStore]:
    """Serve every entry point at /NAME on one port, with logs in functions.log in `run_dir`.

    Raises:
        FunctionsFailed: the functions cannot be loaded.
    """
    visits, apps = _loaded()

    async def dispatch(scope: Any, receive: Any, send: Any) -> None:
        name = scope["path"].split("/")[1]
        # The API is not below /NAME, since it has its own paths.
        await apps[name if name in apps else "api"](scope, receive, send)

    port = planned.ports[ENTRY_POINTS[0]]
    config = uvicorn.Config(
        dispatch,
        host=LOOPBACK,
        port=port,
        log_config=None,
        lifespan="off",
        access_log=False,
        timeout_graceful_shutdown=GRACE_S,
    )
    server = _Server(config)
    with (run_dir / "functions.log").open("w", buffering=1) as log:
        logs.configure(to=log)
        serving = asyncio.create_task(server.serve())
        try:
            while not server.started and not serving.done():  # noqa: ASYNC110  # no event
                await asyncio.sleep(0.01)
            yield visits
        finally:
            server.should_exit = True
            await serving
            logs.configure()


def _loaded() -> tuple[MemoryVisitStore, dict[str, Any]]:
    """Load the functions: return the visits, and the app of each entry point."""
    source = str(ROOT / "functions" / "main.py")
    create: Any = create_asgi_app  # has no types
    try:
        visits = MemoryVisitStore()
        runtime_services.install(ApiCloudServices(read(), visits.database))
        return visits, {name: create(name, source) for name in ENTRY_POINTS}
    except (Exception, SystemExit) as error:  # the import may raise any error
        raise FunctionsFailed(error) from error


class _Server(uvicorn.Server):
    """A uvicorn server that does not handle signals, because the launcher does."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
