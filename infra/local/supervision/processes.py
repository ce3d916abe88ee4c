"""Starts a local stack's processes in order, notices when one dies, and ends all processes."""

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

from infra.local.supervision.process import (
    NotReady,
    Process,
    ProcessDied,
    ProcessFailed,
    RunningProcess,
)

__all__ = ["NotReady", "Process", "ProcessDied", "ProcessFailed", "Processes"]


class Processes:
    """The running stack: entering the context starts the processes, leaving it stops them.

        async with Processes([firestore, functions], run_dir=Path(".run")) as stack:
            await stack.wait()

    On exit, also after an error, each process gets SIGTERM, and SIGKILL after its `grace_s`; the
    last process is stopped first. SIGTERM to the launcher cancels the task that entered the
    context, as Ctrl-C does under asyncio.run; a second SIGTERM skips the grace. When the launcher
    is killed, the leashes end the processes (see leash.py). `on_ready` is called with each process
    that becomes ready.

    Entering raises ProcessDied or NotReady when a process fails, after all processes were stopped.
    """

    def __init__(
        self,
        processes: Sequence[Process],
        *,
        run_dir: Path,
        on_ready: Callable[[Process], None] | None = None,
    ) -> None:
        """Raises ValueError if two processes have one name, or `after` names a later process."""
        self._processes = {process.name: process for process in processes}
        self._after = _order(processes)
        self._run_dir = run_dir
        self._on_ready = on_ready
        self._running: dict[str, RunningProcess] = {}
        self._logged: set[str] = set()
        self._deaths: asyncio.Queue[ProcessDied] = asyncio.Queue()
        self._on_exit = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as on_failure:
            on_failure.enter_context(_cancelled_by_sigterm())
            on_failure.push_async_callback(self._stop_all)
            await self._start_all()
            self._on_exit = on_failure.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._on_exit.aclose()

    async def wait(self) -> None:
        """Wait until a ready process dies, then raise its ProcessDied."""
        raise await self._deaths.get()

    def is_running(self, name: str) -> bool:
        """Return whether the process was started and has not ended."""
        return name in self._running and not self._running[name].ended.done()

    async def start(self, name: str) -> None:
        """Start or restart a process of the list, and wait until it is ready.

        A restart continues the log. Raises ValueError if the process runs already, ProcessDied, or
        NotReady, after which the process still runs.
        """
        if self.is_running(name):
            raise ValueError(f"{name} is running")
        process = self._processes[name]
        log_path = process.log_path or self._run_dir / f"{name}.log"
        running = await RunningProcess.start(process, log_path, new_log=name not in self._logged)
        self._logged.add(name)
        self._running[name] = running
        running.ended.add_done_callback(lambda _: self._note_end(running))
        await running.until_ready()
        if self._on_ready is not None:
            self._on_ready(process)

    async def stop(self, name: str) -> None:
        """Send SIGTERM, and SIGKILL after `grace_s`; return when no descendant is left."""
        await self._running[name].stop()

    async def kill(self, name: str) -> None:
        """Send SIGKILL to the process and its descendants; return when none is left."""
        await self._running[name].kill()

    def _note_end(self, running: RunningProcess) -> None:
        # If a process ends before it is ready, `until_ready` reports that.
        if running.is_ready and not running.stopping:
            self._deaths.put_nowait(ProcessDied(running))

    async def _start_all(self) -> None:
        starts: dict[str, asyncio.Task[None]] = {}
        for name, after in self._after.items():
            starts[name] = asyncio.create_task(
                self._start_after([starts[other] for other in after], name)
            )
        all_ready = asyncio.gather(*starts.values())
        death = asyncio.create_task(self.wait())
        either: set[asyncio.Future[Any]] = {all_ready, death}
        try:
            # A TaskGroup would raise a group of errors, but the caller needs only the first error.
            done, _ = await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            for first in done:
                first.result()
        finally:
            for task in (*starts.values(), death):
                task.cancel()
            await asyncio.gather(*starts.values(), all_ready, death, return_exceptions=True)

    async def _start_after(self, others: list[asyncio.Task[None]], name: str) -> None:
        for other in others:
            await asyncio.shield(other)  # the other start must not be cancelled
        await self.start(name)

    async def _stop_all(self) -> None:
        running = [
            self._running[name] for name in reversed(self._processes) if name in self._running
        ]
        try:
            for each in running:
                await each.stop()
        finally:
            await asyncio.gather(*(each.kill() for each in running))


def _order(processes: Sequence[Process]) -> dict[str, tuple[str, ...]]:
    """Return for each process, by name, the names of the processes that must be ready first."""
    order: dict[str, tuple[str, ...]] = {}
    for process in processes:
        if process.name in order:
            raise ValueError(f"two processes are named {process.name}")
        after = tuple(order)[-1:] if process.after is None else process.after
        if unknown := set(after) - set(order):
            names = ", ".join(sorted(unknown))
            raise ValueError(f"{process.name} starts after {names}, which the list has not before")
        order[process.name] = after
    return order


@contextmanager
def _cancelled_by_sigterm() -> Iterator[None]:
    """Cancel the current task on SIGTERM during the context, unless SIGTERM is handled already."""
    # Only the main thread may handle signals.
    in_main_thread = threading.current_thread() is threading.main_thread()
    if not in_main_thread or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None  # called in a coroutine

    def on_sigterm() -> None:
        if not task.cancel():
            # The task has ended, as in a pytest fixture, so SIGTERM ends the program as usual.
            loop.remove_signal_handler(signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGTERM)

    loop.add_signal_handler(signal.SIGTERM, on_sigterm)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
