"""Detects a stalled visit, also on a slow machine.

The total time has no limit: recognition of an hour of speech may take hours. Signs of progress:

| sign                                                 | counts when                           |
|------------------------------------------------------|---------------------------------------|
| the visit is further than before                     | `progressPercent` rises               |
| the local speech server recognizes a job             | the job has used CPU time             |
| a remote provider works                              | the pipeline waits without a failure  |

A repeated try is no progress, nor is a visit on hold.
"""

import asyncio
import os
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from lumimd.domain.visit import ProcessingStatus, Visit

PATIENCE_S: Final = 45.0
"""With the start and the end of the stack, a demo that fails ends within two minutes."""

LOOKS: Final = 30
"""Looks within the patience."""

LEAST_CPU_S: Final = 0.2
"""Less than a hundredth of a core, and more than the speech server needs to answer a look."""

LATE: Final = timedelta(seconds=30)
"""A visit that is overdue by more is not being polled."""


@dataclass(frozen=True)
class Recognition:
    """The work of this machine's speech server: running jobs, and CPU seconds used."""

    jobs: int
    cpu_s: float


@dataclass(frozen=True)
class Signs:
    """The signs of progress at one moment."""

    percent: int = -1
    recognition: Recognition | None = None
    waits_for_provider: bool = False


class Watch:
    """Records signs of progress and measures the time since the last one."""

    def __init__(self, now_s: float) -> None:
        self._moved_at = now_s
        self._percent = -1
        self._cpu_s = 0.0

    def note(self, signs: Signs, now_s: float) -> None:
        """Record the signs at `now_s`."""
        recognizes = self._recognizes(signs)
        if signs.percent > self._percent or recognizes or signs.waits_for_provider:
            self._moved_at = now_s
        self._percent = max(self._percent, signs.percent)

    def idle_s(self, now_s: float) -> float:
        """Seconds since the last sign of progress."""
        return now_s - self._moved_at

    def _recognizes(self, signs: Signs) -> bool:
        work = signs.recognition
        if work is None or work.jobs == 0 or work.cpu_s - self._cpu_s < LEAST_CPU_S:
            return False
        self._cpu_s = work.cpu_s
        return True


async def until_stalled(look: Callable[[], Awaitable[Signs]], patience_s: float) -> None:
    """Return once there was no sign of progress for `patience_s`."""
    loop = asyncio.get_running_loop()
    watch = Watch(loop.time())
    while watch.idle_s(loop.time()) < patience_s:
        await asyncio.sleep(patience_s / LOOKS)
        watch.note(await look(), loop.time())


def waits_untroubled(visit: Visit, now: datetime) -> bool:
    """Whether a remote provider works for the visit, as far as the pipeline knows.

    The poller's calls succeed, or a function holds a lease and calls the provider.
    """
    if visit.trouble is not None or visit.held_since is not None:
        return False
    if visit.processing_status is ProcessingStatus.TRANSCRIBING:
        return visit.wake_at is not None and now - visit.wake_at < LATE
    return visit.is_leased(now)


@contextmanager
def ended_when_blocked(patience_s: float) -> Iterator[None]:
    """Within it the process exits when its event loop is blocked for `patience_s`.

    With the visits in memory the functions share that loop; a function that blocks it would stop
    the watch as well. The processes of the stack end with this one (supervision/leash.py).
    """
    loop = asyncio.get_running_loop()
    over = threading.Event()

    def watch() -> None:
        while not over.is_set():
            beat = threading.Event()
            loop.call_soon_threadsafe(beat.set)
            if not beat.wait(patience_s) and not over.is_set():
                print(f"A function has blocked its process for {patience_s:g} s.", file=sys.stderr)
                os._exit(1)
            over.wait(patience_s / LOOKS)

    watching = threading.Thread(target=watch, name="watch of the event loop", daemon=True)
    watching.start()
    try:
        yield
    finally:
        over.set()
