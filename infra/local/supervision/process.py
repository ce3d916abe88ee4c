"""Defines and runs one process of the local stack, as the child of a leash (leash.py)."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Self

from infra.local.supervision.ready import Ready

LEASH = Path(__file__).with_name("leash.py")
POLL_S = 0.05  # between two readiness checks
TAIL_LINES, TAIL_BYTES = 20, 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """The definition of a process.

    `env` is added to the launcher's own environment. Without `ready` the process counts as ready
    once it is started. `after` names processes, earlier in the list, that must be ready first: None
    means the process directly before, and an empty tuple no process. `url` is shown to people. The
    log is NAME.log in the run directory unless `log_path` names another file. After SIGTERM the
    process has `grace_s` to end.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    ready: Ready | None = None
    after: tuple[str, ...] | None = None
    url: str = ""
    log_path: Path | None = None
    ready_timeout_s: float = 60.0
    grace_s: float = 5.0


class ProcessFailed(Exception):
    """A process failed.

    `exit_code` is None while the process runs, 128 + N after signal N, and 127 if the process could
    not be started. `log_tail` has the last lines of output since the start.
    """

    def __init__(self, failure: str, running: "RunningProcess") -> None:
        self.name = running.process.name
        self.exit_code = running.leash.returncode
        self.log_path = running.log_path
        self.log_tail = running.log_tail()
        shown = "".join(f"\n    {line}" for line in self.log_tail) or "\n    (it wrote nothing)"
        super().__init__(f"{self.name} {failure}. The end of {self.log_path}:{shown}")


class ProcessDied(ProcessFailed):
    """A process ended although neither `stop` nor `kill` was called."""

    def __init__(self, running: "RunningProcess") -> None:
        super().__init__(f"ended by itself with exit code {running.leash.returncode}", running)


class NotReady(ProcessFailed):
    """A process runs but was not ready in time."""

    def __init__(self, running: "RunningProcess") -> None:
        super().__init__(f"was not ready after {running.process.ready_timeout_s:g} s", running)


class RunningProcess:
    """A started process. If neither `stop` nor `kill` is called, the leash ends it (leash.py)."""

    def __init__(
        self, process: Process, leash: asyncio.subprocess.Process, log_path: Path, log_start: int
    ) -> None:
        self.process = process
        self.leash = leash
        self.log_path = log_path
        self.is_ready = False
        self.stopping = False
        self.ended = asyncio.create_task(leash.wait(), name=f"end of {process.name}")
        self._log_start = log_start

    @classmethod
    async def start(cls, process: Process, log_path: Path, *, new_log: bool) -> Self:
        """Start the process and append its output to the log, which `new_log` empties first."""
        with _open_log(log_path, new_log) as log:
            log_start = log.tell()
            leash = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", str(LEASH), "--", *process.argv),
                # Unbuffered, because the last lines are needed and would be lost in a buffer.
                env={**os.environ, "PYTHONUNBUFFERED": "1", **process.env},
                cwd=process.cwd,
                stdin=asyncio.subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,  # so that only the launcher gets Ctrl-C
            )
            return cls(process, leash, log_path, log_start)

    async def until_ready(self) -> None:
        """Wait until the process is ready.

        Raises:
            ProcessDied: the process ended before it was ready.
            NotReady: the process was not ready after `ready_timeout_s`.
        """
        asking = asyncio.create_task(self._ask_until_ready())
        try:
            await asyncio.wait(
                {asking, self.ended},
                timeout=self.process.ready_timeout_s,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if self.ended.done():
                raise ProcessDied(self)
            if not asking.done():
                raise NotReady(self)
            asking.result()
            self.is_ready = True
        finally:
            asking.cancel()
            await asyncio.wait({asking})

    async def stop(self) -> None:
        """Send SIGTERM, and SIGKILL after `grace_s`; return when no descendant is left."""
        self.stopping = True
        with suppress(ProcessLookupError):  # the process has ended already
            self.leash.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait({self.ended}, timeout=self.process.grace_s)
        finally:
            await self.kill()  # also after a second Ctrl-C, which cancels the wait

    async def kill(self) -> None:
        """Send SIGKILL to the process and its descendants; return when none is left."""
        self.stopping = True
        assert self.leash.stdin is not None  # `start` passed a pipe
        self.leash.stdin.close()
        await asyncio.wait({self.ended})

    def log_tail(self) -> list[str]:
        """Return the last lines of output since the start."""
        with self.log_path.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(self._log_start, size - TAIL_BYTES))
            return log.read().decode(errors="replace").splitlines()[-TAIL_LINES:]

    async def _ask_until_ready(self) -> None:
        while self.process.ready is not None:
            with suppress(OSError):  # not ready: port closed, or connection reset
                if await self.process.ready():
                    return
            await asyncio.sleep(POLL_S)


def _open_log(path: Path, new: bool) -> BinaryIO:
    """Open the log for appending, so that no process overwrites another process's lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if new:
        path.write_bytes(b"")
    return path.open("ab")
