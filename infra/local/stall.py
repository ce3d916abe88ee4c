"""Tells when a visit has stopped moving, however slow the machine is.

Not a limit of the total time: recognition of an hour may take hours. What counts is progress:

| sign                                                 | counts when                           |
|------------------------------------------------------|---------------------------------------|
| the visit is further than ever                       | `progressPercent` rises               |
| the speech server of this machine recognizes a job   | it has used the processor for it      |
| a provider far away works                            | the pipeline waits for it untroubled  |

A try that is repeated is no progress, nor is a visit that is held.
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
"""With the start of the stack and its end, a demo that fails ends within two minutes."""

LOOKS: Final = 30
"""How often within its patience a watch looks."""

LEAST_CPU_S: Final = 0.2
"""Less than a hundredth of a core; answering how far it is costs the speech server less."""

LATE: Final = timedelta(seconds=30)
"""A visit that should have woken so long ago is not looked after."""


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
    """Notes signs of progress; says for how long there were none."""

    def __init__(self, now_s: float) -> None:
        self._moved_at = now_s
        self._percent = -1
        self._cpu_s = 0.0

    def note(self, signs: Signs, now_s: float) -> None:
        """Take in what was seen at `now_s`."""
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
    """Whether a provider that is not on this machine works for the visit, as the pipeline knows.

    It answers polls, or a function has just begun to talk to it.
    """
    if visit.trouble is not None or visit.held_since is not None:
        return False
    if visit.processing_status is ProcessingStatus.TRANSCRIBING:
        return visit.wake_at is not None and now - visit.wake_at < LATE
    return visit.is_leased(now)


@contextmanager
def ended_when_blocked(patience_s: float) -> Iterator[None]:
    """Within it the process ends when its event loop does nothing for `patience_s`.

    With the visits in memory the functions share that loop; one that blocks it would stop the watch
    as well. The parts of the stack end with the process (supervision/leash.py).
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
