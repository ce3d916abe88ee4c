"""An event loop in simulated time, without I/O or waiting; the seed picks the next callback."""

import asyncio
import heapq
from asyncio import events
from collections.abc import Callable
from contextvars import copy_context
from itertools import count
from random import Random
from typing import Any


class Handle:
    """A handle like asyncio's own without debugging, which would take a tenth of all time."""

    __slots__ = ("args", "callback", "cancelled", "context")

    def __init__(
        self, callback: Callable[..., object], args: tuple[Any, ...], context: Any
    ) -> None:
        self.callback = callback
        self.args = args
        self.context = copy_context() if context is None else context
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True
        self.callback, self.args = _nothing, ()


def _nothing() -> None:
    pass


class SimulatedLoop(asyncio.AbstractEventLoop):
    """Runs until no callback is left; if no callback is ready, time jumps to the next timer.

    Any ready callback may run next, so that some seed breaks code that relies on their order.
    """

    def __init__(self, rng: Random) -> None:
        self._pick = rng.random
        self._now = 0.0
        self._ready: list[Handle] = []
        self._timers: list[tuple[float, int, Handle]] = []
        self._order = count()
        self._tasks: list[asyncio.Task[Any]] = []
        self._stopped = False
        self.steps = 0
        self.broken: BaseException | None = None

    def run(self, until: float) -> None:
        """Run callbacks up to the time `until` (seconds) or a call of `stop`."""
        ready, timers, pick = self._ready, self._timers, self._pick
        events._set_running_loop(self)
        try:
            while not self._stopped:
                if ready:
                    chosen = int(pick() * len(ready))
                    handle = ready[chosen]
                    last = ready.pop()
                    if last is not handle:
                        ready[chosen] = last
                    if not handle.cancelled:
                        self.steps += 1
                        try:
                            handle.context.run(handle.callback, *handle.args)
                        except (SystemExit, KeyboardInterrupt):
                            raise
                        except BaseException as error:
                            self.call_exception_handler({"exception": error, "handle": handle})
                elif timers and timers[0][0] <= until:
                    self._now = timers[0][0]
                    while timers and timers[0][0] <= self._now:
                        timer = heapq.heappop(timers)[2]
                        if not timer.cancelled:
                            ready.append(timer)
                else:
                    self._now = max(self._now, until)
                    return
        finally:
            events._set_running_loop(None)
            if self.broken is not None:
                raise self.broken

    def stop(self) -> None:
        self._stopped = True

    def close(self) -> None:
        """Drop all waiting tasks: killed invocations, and after `stop` the other tasks too."""
        for task in self._tasks:
            if not task.done():
                try:
                    task.get_coro().close()
                except RuntimeError:  # the killed task waits in its own clean-up
                    continue
        self._tasks.clear()
        self._ready.clear()
        self._timers.clear()

    def time(self) -> float:
        return self._now

    def call_soon(self, callback: Callable[..., object], *args: Any, context: Any = None) -> Handle:
        handle = Handle(callback, args, context)
        self._ready.append(handle)
        return handle

    call_soon_threadsafe = call_soon

    def call_at(
        self, when: float, callback: Callable[..., object], *args: Any, context: Any = None
    ) -> Handle:
        handle = Handle(callback, args, context)
        heapq.heappush(self._timers, (when, next(self._order), handle))
        return handle

    def call_later(
        self, delay: float, callback: Callable[..., object], *args: Any, context: Any = None
    ) -> Handle:
        handle = Handle(callback, args, context)
        heapq.heappush(self._timers, (self._now + delay, next(self._order), handle))
        return handle

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(self, coro: Any, *, name: Any = None, context: Any = None) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.Task(coro, loop=self, name=name, context=context)
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # many are killed
        self._tasks.append(task)
        return task

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> Any:
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        return future

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return not self._stopped

    def is_closed(self) -> bool:
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        # An invocation may leave a result unfetched; a failed callback is a bug of the simulator.
        if "handle" in context and self.broken is None:
            self.broken = context.get("exception")
            self.stop()
