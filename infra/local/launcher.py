"""Starts the local stack and a client of the stack, and ends every process on exit."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx
from rich.console import Console

from infra.local.bucket_watcher import announce_uploads
from infra.local.client import Client, FirestoreReader, MemoryReader
from infra.local.emulators import EmulatorMissing
from infra.local.memory_functions import FunctionsFailed, serve_functions
from infra.local.stack import BUCKET, ROOT, Options, Plan, plan
from infra.local.supervision.processes import Process, Processes, ProcessFailed

RUNS: Final = ROOT / ".run"
KEPT_RUNS: Final = 9
T = TypeVar("T")
Say = Callable[[str], None]


@dataclass(frozen=True)
class Stack:
    """The running stack: the plan, the processes, the folder of the logs, and a client."""

    plan: Plan
    processes: Processes
    run_dir: Path
    client: Client

    async def while_alive(
        self, work: Coroutine[Any, Any, T], *watches: Coroutine[Any, Any, None]
    ) -> T:
        """Return the result of `work`, which runs beside the endless `watches`.

        An error in a watch cancels `work` and is raised.

        Raises:
            ProcessDied: a part of the stack has ended.
        """
        working = asyncio.create_task(work)
        beside = [asyncio.create_task(each) for each in (self.processes.wait(), *watches)]
        try:
            done, _ = await asyncio.wait({working, *beside}, return_when=asyncio.FIRST_COMPLETED)
            for ended in done - {working}:
                ended.result()
            return await working
        finally:
            for task in (working, *beside):
                task.cancel()
            await asyncio.gather(working, *beside, return_exceptions=True)


def exit_code(command: Coroutine[Any, Any, int], console: Console, *, interrupted: int) -> int:
    """Run a command that starts a stack, and return its exit code.

    If the stack does not start, the function prints the reason and returns 1. `interrupted` is the
    exit code after Ctrl-C.
    """
    try:
        return asyncio.run(command)
    except (EmulatorMissing, ProcessFailed, FunctionsFailed) as error:
        console.print(str(error), markup=False)
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        console.print("Stopped; nothing is left running.")
        return interrupted


@asynccontextmanager
async def running_stack(options: Options, say: Say) -> AsyncIterator[Stack]:
    """Start a stack and yield it once it is healthy. On exit every process of the stack is ended.

    Raises:
        EmulatorMissing: a program of the stack is not on this machine.
        ProcessDied, NotReady: a process did not start; the error shows the end of its log.
    """
    planned = plan(options)
    run_dir = _new_run_dir()

    def on_ready(process: Process) -> None:
        say(f"  {process.name} is up at {process.url}")

    async with AsyncExitStack() as closing:
        # The SDKs read the emulators' addresses from the environment. This process needs them as a
        # client of the stack; with the visits in memory this process runs the functions too.
        closing.enter_context(environment(planned.function_env))
        processes = Processes(planned.processes, run_dir=run_dir, on_ready=on_ready)
        if options.in_memory:
            store = await closing.enter_async_context(serve_functions(planned, run_dir))
            await closing.enter_async_context(processes)
            await _create_bucket(planned)
            await closing.enter_async_context(_watched_bucket(planned, run_dir))
            client = Client(planned.url("storage"), MemoryReader(store))
        else:
            await closing.enter_async_context(processes)
            await _create_bucket(planned)
            client = Client(planned.url("storage"), FirestoreReader())
        closing.push_async_callback(client.aclose)
        yield Stack(planned, processes, run_dir, client)


def _new_run_dir() -> Path:
    """Create a folder for the logs of this run; the last KEPT_RUNS folders are kept."""
    RUNS.mkdir(exist_ok=True)
    runs = sorted(RUNS.glob("run-*"), key=lambda run: run.stat().st_mtime)
    for run in runs[:-KEPT_RUNS]:
        shutil.rmtree(run, ignore_errors=True)
    return Path(tempfile.mkdtemp(dir=RUNS, prefix="run-"))


@contextmanager
def environment(added: Mapping[str, str]) -> Iterator[None]:
    """Add `added` to the environment, for this process and its children, during the context."""
    before = dict(os.environ)
    os.environ.update(added)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


async def _create_bucket(planned: Plan) -> None:
    async with httpx.AsyncClient(base_url=planned.url("storage")) as http:
        (await http.post("/storage/v1/b", json={"name": BUCKET})).raise_for_status()


@asynccontextmanager
async def _watched_bucket(planned: Plan, run_dir: Path) -> AsyncIterator[None]:
    storage, target = planned.url("storage"), planned.function_url("on_audio_finalized")
    with (run_dir / "eventarc.log").open("w", buffering=1) as log:
        watching = asyncio.create_task(announce_uploads(storage, BUCKET, target, log))
        try:
            yield
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
