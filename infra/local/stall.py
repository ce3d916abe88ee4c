"""Detects a stalled visit, also on a slow machine.

The total time has no limit, because the recognition of an hour of speech may take hours. A visit is
stalled if no sign of progress is seen for some time:

| sign                                                 | counts when                           |
|------------------------------------------------------|---------------------------------------|
| the visit is further than before                     | `progressPercent` rises               |
| the local speech server recognizes a job             | the job has used CPU time             |
| a remote provider works                              | the pipeline waits without a failure  |

Neither a retry nor a visit that waits for a dependency counts as progress.
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
"""The patience: a demo that fails ends within two minutes, including the stack's start and end."""

LOOKS: Final = 30
"""The number of looks for signs of progress within the patience."""

LEAST_CPU_S: Final = 0.2
"""The CPU time between two looks that counts as progress: less than a hundredth of a core, and
more than the speech server needs to respond to a look."""

LATE: Final = timedelta(seconds=30)
"""A visit that is overdue by more than this is not being polled."""


@dataclass(frozen=True)
class Recognition:
    """The work of the local speech server: the number of running jobs, and CPU seconds used."""

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
        """Return the seconds since the last sign of progress."""
        return now_s - self._moved_at

    def _recognizes(self, signs: Signs) -> bool:
        work = signs.recognition
        if work is None or work.jobs == 0 or work.cpu_s - self._cpu_s < LEAST_CPU_S:
            return False
        self._cpu_s = work.cpu_s
        return True


async def until_stalled(look: Callable[[], Awaitable[Signs]], patience_s: float) -> None:
    """Look for signs of progress; return once there was no sign for `patience_s`."""
    loop = asyncio.get_running_loop()
    watch = Watch(loop.time())
    while watch.idle_s(loop.time()) < patience_s:
        await asyncio.sleep(patience_s / LOOKS)
        watch.note(await look(), loop.time())


def waits_untroubled(visit: Visit, now: datetime) -> bool:
    """Return whether a remote provider works for the visit, as far as the pipeline knows.

    This is so if the poller's calls succeed, or if a function holds a lease and calls the provider.
    """
    if visit.trouble is not None or visit.held_since is not None:
        return False
    if visit.processing_status is ProcessingStatus.TRANSCRIBING:
        return visit.wake_at is not None and now - visit.wake_at < LATE
    return visit.is_leased(now)


@contextmanager
def ended_when_blocked(patience_s: float) -> Iterator[None]:
    """End the process if its event loop is blocked for `patience_s` during the context.

    With the visits in memory the functions share the event loop, and a function that blocks the
    loop would stop `until_stalled` as well. The processes of the stack end together with this
    process (supervision/leash.py).
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
