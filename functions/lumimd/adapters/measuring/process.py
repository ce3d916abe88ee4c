"""One measuring process, as its parent controls it."""

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Final

from lumimd.adapters.measuring.limits import SILENT_FOR_S
from lumimd.adapters.measuring.recording import Budget, TooCostly
from lumimd.adapters.measuring.worker import ABANDON, LENGTH, NICE, REQUEST, START
from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import MeasuringDied, Permanent, Transient

Read = Callable[[int, int], bytes]

WORKER: Final = (sys.executable, "-m", "lumimd.adapters.measuring.worker")
LAST: Final = (*WORKER, NICE)
"""The command of a worker with a lower CPU priority."""

_KEPT: Final = ("HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH")
"""Environment variables that the process gets, without a provider's key or cloud credentials."""


@dataclass(frozen=True)
class Measured:
    """The result of a measurement, and its cost."""

    seconds: float | None
    cpu_s: float = 0.0
    peak_kib: int = 0


class Process:
    """A measuring process that is reused for several recordings, and replaced after a kill."""

    def __init__(self, command: Sequence[str] = WORKER) -> None:
        self._command = command
        self._running: subprocess.Popen[bytes] | None = None
        self.starts = 0

    @property
    def pid(self) -> int | None:
        """Return the id of the current process, or None."""
        return self._running.pid if self._running else None

    def measure(self, read: Read, size: int, budget: Budget) -> Measured:
        """Measure a recording of `size` bytes; `read(offset, length)` returns its bytes.

        Raises:
            Permanent: `audio_unreadable` or `audio_truncated`.
            TooCostly: the budget was used up; the process was killed if necessary.
            MeasuringDied: the process died for another reason.
            Exception: `read` failed.
        """
        running = self._start()
        try:
            return self._served(running, read, size, budget)
        except (EOFError, BrokenPipeError) as error:
            code = self.stop()
            if code == -signal.SIGPROF:
                raise TooCostly from error
            raise MeasuringDied(ErrorCode.INTERNAL_ERROR) from error
        except TimeoutError as error:
            self.stop()
            raise Transient(ErrorCode.INTERNAL_ERROR) from error

    def stop(self) -> int | None:
        """End the process, and return its exit status; None without a process."""
        running, self._running = self._running, None
        if running is None:
            return None
        to, come_from = _pipes(running)
        with suppress(BrokenPipeError):
            to.close()
        come_from.close()
        try:
            return running.wait(timeout=0.5)
        except subprocess.TimeoutExpired:
            running.kill()
            return running.wait()

    def _start(self) -> subprocess.Popen[bytes]:
        if self._running is None or self._running.poll() is not None:
            self.stop()
            self.starts += 1
            self._running = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                env=_environment(),
            )
        return self._running

    def _served(
        self, running: subprocess.Popen[bytes], read: Read, size: int, budget: Budget
    ) -> Measured:
        to, come_from = _pipes(running)
        failure: Exception | None = None
        _write(to, START.pack(size, budget.cpu_s, budget.bytes, budget.jumps))
        while True:
            kind, offset, length = REQUEST.unpack(_exactly(come_from, REQUEST.size))
            if kind == b"A":
                break
            try:
                data = read(offset, length)
            except Exception as error:  # raised once the process is ready for another recording
                failure = error
                _write(to, LENGTH.pack(ABANDON))
            else:
                _write(to, LENGTH.pack(len(data)) + data)
        answer = json.loads(_exactly(come_from, length))
        if failure is not None:
            raise failure
        if "is_costly" in answer:
            raise TooCostly
        if "code" in answer:
            raise Permanent(ErrorCode(answer["code"]))
        return Measured(answer["seconds"], answer["cpu_s"], answer["peak_kib"])


def _environment() -> dict[str, str]:
    """Return the variables with which an interpreter finds this package, without any key."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in _KEPT or (name.startswith("PYTHON") and name != "PYTHONPATH")
    }
    return {**kept, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def _pipes(running: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    assert running.stdin is not None
    assert running.stdout is not None
    return running.stdin, running.stdout


def _write(to: IO[bytes], data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[to.write(view) :]


def _exactly(come_from: IO[bytes], length: int) -> bytes:
    parts = []
    poll = select.poll()
    poll.register(come_from, select.POLLIN)
    while length:
        if not poll.poll(SILENT_FOR_S * 1000):
            raise TimeoutError
        part = come_from.read(length)
        if not part:
            raise EOFError
        parts.append(part)
        length -= len(part)
    return b"".join(parts)
