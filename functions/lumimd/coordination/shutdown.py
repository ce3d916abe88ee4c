"""Graceful shutdown: on SIGTERM an instance stops its work and saves how to continue it.

Cloud Run sends SIGTERM, and SIGKILL ten seconds later. Work that is not done by then would block
other instances until the expiry of its lease, minutes later. So work that needs more than
`SHUTDOWN_GRACE_S` is cancelled, and its visit waits as if a dependency were down, which uses up no
try.
"""

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from lumimd.policies.time_budgets import SHUTDOWN_GRACE_S
from lumimd.telemetry import logs


class GracefulShutdown:
    """The shutdown of one instance."""

    def __init__(self) -> None:
        self._limits: dict[asyncio.Timeout, None] = {}  # an ordered set: the oldest ends first
        self._ends_at: float | None = None  # on the event loop's clock

    @property
    def has_begun(self) -> bool:
        """Whether the shutdown has begun."""
        return self._ends_at is not None

    @contextmanager
    def cuts(self, limit: asyncio.Timeout) -> Iterator[None]:
        """At the shutdown, cancel the work in this context, which runs under `limit`."""
        self._cut(limit)
        self._limits[limit] = None
        try:
            yield
        finally:
            del self._limits[limit]

    def begin(self) -> None:
        """Let running work go on for `SHUTDOWN_GRACE_S`, and no longer."""
        if self._ends_at is None:
            self._ends_at = asyncio.get_running_loop().time() + SHUTDOWN_GRACE_S
            logs.event("instance_is_ending", count=len(self._limits))
            for limit in self._limits:
                self._cut(limit)

    def begin_on_sigterm(self) -> None:
        """Begin the shutdown on SIGTERM; the server's own handler runs as well.

        Call this from the event loop after the server has installed its handler. Without a handler
        of the server, the signal still ends the process immediately.
        """
        if threading.current_thread() is not threading.main_thread():
            return  # only the main thread gets signals; tests and the local stack use other threads
        loop, servers_own = asyncio.get_running_loop(), signal.getsignal(signal.SIGTERM)
        if not callable(servers_own):
            return
        handle: Callable[[int, FrameType | None], object] = servers_own

        def on_signal(number: int, frame: FrameType | None) -> None:
            loop.call_soon_threadsafe(self.begin)
            handle(number, frame)

        signal.signal(signal.SIGTERM, on_signal)

    def _cut(self, limit: asyncio.Timeout) -> None:
        ends_at, until = self._ends_at, limit.when()
        if ends_at is not None and not limit.expired() and (until is None or until > ends_at):
            limit.reschedule(ends_at)
