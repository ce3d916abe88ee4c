"""The pool of measuring processes of this instance: a few processes, reused and fairly shared."""

import asyncio
import atexit
import threading
from dataclasses import replace
from functools import cache
from typing import Final

from lumimd.adapters.measuring.lanes import Job, Lanes
from lumimd.adapters.measuring.limits import FIRST_LOOK, LARGE, SLOW, WORKERS
from lumimd.adapters.measuring.process import LAST, Measured, Process, Read
from lumimd.adapters.measuring.recording import TooCostly
from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import Permanent

CLOSING_S: Final = 1.0
"""The time to wait for a thread that reads the bucket; its process ends when the pipe closes."""


class Abandoned(Exception):
    """The caller was cancelled during the measurement of its recording."""


class Pool:
    """A pool that measures at most `size` recordings at once, each by a thread with a process.

    Slow recordings have separate processes with a lower CPU priority. A process is started at its
    first use.
    """

    def __init__(self, size: int = WORKERS) -> None:
        self._size: Final = size
        self._lanes = Lanes()
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._idle = 0
        self._is_closed = False
        self.processes: list[Process] = []

    async def measure(self, user: str, size: int, read: Read) -> Measured:
        """Measure a recording of `size` bytes; `read(offset, length)` runs in a thread.

        `seconds` of the result is None if the recording is too large for its duration to be
        counted.

        Raises:
            Permanent: `audio_unreadable` or `audio_truncated`.
            MeasuringDied: the measuring process that opened the recording died.
            Exception: `read` failed.
        """
        job = Job(user, size, read)
        self._add(job)
        return await asyncio.wrap_future(job.result)

    def close(self) -> None:
        """End all processes; the futures of waiting callers are cancelled."""
        with self._changed:
            self._is_closed = True
            for job in self._lanes.drain():
                job.result.cancel()
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(CLOSING_S)

    def _add(self, job: Job) -> None:
        with self._changed:
            if self._is_closed:
                raise RuntimeError("the pool is closed")
            self._lanes.add(job)
            if len(self._lanes) > self._idle and len(self._threads) < self._size:
                quick, slow = Process(), Process(LAST)
                self.processes += [quick, slow]
                thread = threading.Thread(
                    target=self._serve, args=(quick, slow), name="measuring", daemon=True
                )
                self._threads.append(thread)
                self._idle += 1
                thread.start()
            self._changed.notify_all()

    def _serve(self, quick: Process, slow: Process) -> None:
        while (job := self._next()) is not None:
            outcome = self._measure(slow if job.is_slow else quick, job)
            with self._changed:
                self._lanes.ended(job)
                if isinstance(outcome, Job) and not self._is_closed:
                    self._lanes.add(outcome)
                # Before the result is set, so that the next caller finds this process idle.
                self._idle += 1
                self._changed.notify_all()
            if not isinstance(outcome, Job):
                _tell(job, outcome)
        quick.stop()
        slow.stop()

    def _next(self) -> Job | None:
        with self._changed:
            while not self._is_closed:
                job = self._lanes.take()
                if job is not None:
                    self._idle -= 1
                    return job
                self._changed.wait()
        return None

    def _measure(self, process: Process, job: Job) -> Measured | Exception | Job:
        """Return the outcome of a job, or a job for the slow lane after a costly first look."""

        def read(offset: int, length: int) -> bytes:
            if job.result.cancelled() or self._is_closed:
                raise Abandoned
            return job.read(offset, length)

        if job.result.cancelled():
            return Abandoned()
        try:
            return process.measure(read, job.size, SLOW if job.is_slow else FIRST_LOOK)
        except TooCostly:
            if not job.is_slow:
                return replace(job, is_slow=True)
            if job.size < LARGE:
                return Permanent(ErrorCode.AUDIO_UNREADABLE)
            return Measured(None)
        except Exception as error:
            return error


def _tell(job: Job, outcome: Measured | Exception) -> None:
    if not job.result.set_running_or_notify_cancel():
        return
    if isinstance(outcome, Measured):
        job.result.set_result(outcome)
    else:
        job.result.set_exception(outcome)


@cache
def pool() -> Pool:
    """Return the pool of this process; it closes when the process exits."""
    made = Pool()
    atexit.register(made.close)
    return made
