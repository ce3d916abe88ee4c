"""An instance that is told to end hands back what it works on, while it still can.

Cloud Run sends SIGTERM, and SIGKILL ten seconds later. What is not done by then would keep others
away until its claim ends, minutes later. So its time is cut: work that needs more than `GRACE_S` is
cancelled and put aside as if its dependency were down, which uses up no try.
"""

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

from lumimd.telemetry import logs

GRACE_S: Final = 5.0
"""Seconds of the ten that work may go on; the rest is for saving what became of it."""


class GracefulShutdown:
    """The end of one instance, once it was told to end."""

    def __init__(self) -> None:
        self._limits: dict[asyncio.Timeout, None] = {}  # they end in the order in which they began
        self._ends_at: float | None = None  # on the event loop's clock

    @property
    def has_begun(self) -> bool:
        """Whether the instance was told to end."""
        return self._ends_at is not None

    @contextmanager
    def cuts(self, limit: asyncio.Timeout) -> Iterator[None]:
        """What runs inside `limit`, and inside of this, ends with the instance."""
        self._cut(limit)
        self._limits[limit] = None
        try:
            yield
        finally:
            del self._limits[limit]

    def begin(self) -> None:
        """Let what is under way go on for `GRACE_S`, and no longer."""
        if self._ends_at is None:
            self._ends_at = asyncio.get_running_loop().time() + GRACE_S
            logs.event("instance_is_ending", count=len(self._limits))
            for limit in self._limits:
                self._cut(limit)

    def begin_on_sigterm(self) -> None:
        """Begin when the platform says so; the server then does as it would have done without us.

        To be called from the event loop, when the server has its own handler in place. Without
        one the signal ends the process at once, and goes on doing so.
        """
        if threading.current_thread() is not threading.main_thread():
            return  # signals concern the main thread alone: a test, or the stack in one process
        loop, servers_own = asyncio.get_running_loop(), signal.getsignal(signal.SIGTERM)
        if not callable(servers_own):
            return
        handle: Callable[[int, FrameType | None], object] = servers_own

        def told(number: int, frame: FrameType | None) -> None:
            loop.call_soon_threadsafe(self.begin)
            handle(number, frame)

        signal.signal(signal.SIGTERM, told)

    def _cut(self, limit: asyncio.Timeout) -> None:
        ends_at, until = self._ends_at, limit.when()
        if ends_at is not None and not limit.expired() and (until is None or until > ends_at):
            limit.reschedule(ends_at)
