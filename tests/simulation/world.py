"""One world: a seed, a loop, the parts that the pipeline works with, and a record of all of it."""

import random
from collections.abc import Awaitable, Callable
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random
from typing import Any, Final

from lumimd.errors import ErrorCode, Transient
from lumimd.ports import Commit
from lumimd.records import Visit
from lumimd.resilience import retry
from lumimd.resilience.retry import RetryPolicy, Unanswered
from tests.simulation.faults import Dependency, Fate, Faults, Level
from tests.simulation.loop import SimulatedLoop
from tests.simulation.store import Documents, SimulatedVisitStore

START: Final = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)

CODES: Final = {
    Dependency.STORE: ErrorCode.INTERNAL_ERROR,
    Dependency.TASKS: ErrorCode.INTERNAL_ERROR,
    Dependency.AUDIO: ErrorCode.INTERNAL_ERROR,
    Dependency.TRANSCRIPTION: ErrorCode.TRANSCRIPTION_UNAVAILABLE,
    Dependency.MODEL: ErrorCode.SUMMARY_UNAVAILABLE,
}

PROVIDERS: Final = (Dependency.TRANSCRIPTION, Dependency.MODEL)

PAID: Final = ("submit", "summarize")

HEEDS_RETRY_AFTER: Final = (Dependency.AUDIO, Dependency.TRANSCRIPTION, Dependency.MODEL)

LATEST_ARRIVAL_S: Final = 10.0
"""How much later than it was sent a request may arrive, whether anybody still waits or not."""


@dataclass(frozen=True)
class Options:
    """What, besides the seed, decides how a world goes."""

    visits: int
    level: Level
    outages: tuple[tuple[Dependency, float], ...] = ()
    stop_at_first: bool = True


class Invocation:
    """One call of an entry point by the platform: what a crash takes with it."""

    __slots__ = (
        "attempt",
        "began_at",
        "disturbed",
        "faults",
        "instance",
        "is_dead",
        "is_over",
        "kind",
        "name",
        "reply",
        "timed_out",
        "visit_id",
    )

    def __init__(
        self, name: str, kind: str, visit_id: str | None, attempt: int | None, instance: int
    ) -> None:
        self.name = name
        self.instance = instance
        self.kind = kind
        self.visit_id = visit_id
        self.attempt = attempt
        self.began_at = 0.0
        self.is_dead = False
        self.is_over = False
        self.timed_out = False
        self.reply: Callable[[int], None] = lambda status: None
        self.faults: dict[str | None, int] = {}
        self.disturbed: set[str | None] = set()

    def __repr__(self) -> str:
        return self.name

    def hit(self, visit_id: str | None) -> None:
        """Count a fault in the work on one visit."""
        self.faults[visit_id] = self.faults.get(visit_id, 0) + 1

    def hits(self, visit_id: str | None) -> int:
        """The faults so far in the work on one visit; a death counts for all visits."""
        return self.faults.get(visit_id, 0) + 100 * (self.is_dead + self.timed_out)


current: ContextVar[Invocation] = ContextVar("current")
about_visit: ContextVar[str | None] = ContextVar("about_visit", default=None)


class Broken(Exception):
    """An invariant does not hold."""


@dataclass(frozen=True)
class Breach:
    """Which invariant broke, for which visit, and when (seconds)."""

    invariant: str
    visit_id: str | None
    at: float
    detail: str


class World:
    """Everything of one run. A pure function of the seed and the options."""

    def __init__(self, seed: int, options: Options) -> None:
        self.seed = seed
        self.options = options
        self.rng = Random(seed)
        random.seed(seed)  # tenacity's jitter
        self.loop = SimulatedLoop(Random(seed + 1))
        self.faults = Faults(options.level, Random(seed + 2), options.outages)
        self.documents = Documents(on_saved=self._on_saved)
        self.trace: list[tuple[float, str, str | None, str, Any]] = []
        self.breaches: list[Breach] = []
        self.on_saved: list[Callable[[Visit | None, Commit], None]] = []
        self.on_call: list[Callable[[Invocation, Dependency, str | None], None]] = []
        self.on_wake_up: Callable[[], None] = lambda: None
        self.asked_to_wait: dict[tuple[Dependency, str, int], tuple[float, Invocation, float]] = {}
        self.running: dict[str, Invocation] = {}
        self.instances: list[Any] = []
        self.new_instance: Callable[[int], Any] = lambda number: None
        self.ids = count(1)
        self.calls: dict[str, int] = {}

    def now(self) -> datetime:
        """The instant, as the clock tells it."""
        return START + timedelta(seconds=self.loop._now)

    def note(self, who: str, visit_id: str | None, what: str, detail: Any = None) -> None:
        """Write a line of the trace."""
        self.trace.append((self.loop._now, who, visit_id, what, detail))

    def breach(self, invariant: str, visit_id: str | None, detail: str = "") -> None:
        """Record that an invariant broke."""
        self.note("INVARIANT", visit_id, invariant, detail)
        self.breaches.append(Breach(invariant, visit_id, self.loop._now, detail))
        if self.options.stop_at_first:
            self.loop.stop()

    def after(self, seconds: float, what: Callable[..., None], *args: Any) -> None:
        """Have something done later."""
        self.loop.call_later(seconds, what, *args)

    def dispose(self) -> None:
        """Let go of everything at once: the collector would search the whole world for cycles."""
        for kept in (
            self.trace,
            self.asked_to_wait,
            self.running,
            self.on_saved,
            self.on_call,
            self.instances,
        ):
            kept.clear()
        self.documents.__dict__.clear()
        self.on_wake_up = lambda: None
        self.new_instance = lambda number: None

    # -- the platform ------------------------------------------------------------------------------

    def invoke(
        self,
        kind: str,
        work: Callable[[Any], Awaitable[int]],
        *,
        visit_id: str | None = None,
        attempt: int | None = None,
        limit_s: float = 300.0,
        patience_s: float = 300.0,
        on_reply: Callable[[int], None] = lambda status: None,
    ) -> None:
        """Call an entry point on some instance: `work` gets its parts.

        `on_reply` gets the status, or 0 when no answer came in time.
        """
        number = self.rng.randrange(len(self.instances))
        invocation = Invocation(f"{kind}#{next(self.ids)}", kind, visit_id, attempt, number)
        replied = False

        def reply(status: int) -> None:
            nonlocal replied
            if not replied:
                replied = True
                self.note(invocation.name, visit_id, "replied", status)
                on_reply(status)

        def over(task: Any) -> None:
            invocation.is_over = True
            limit.cancel()
            self.running.pop(invocation.name, None)
            if task.cancelled() or task.exception() is not None:
                error = None if task.cancelled() else task.exception()
                self.breach("bug", visit_id, f"{invocation.name} ended with {error!r}")
                return
            if invocation.is_dead:
                return
            patience.cancel()
            if self.faults.chance("reply_lost"):
                self.note(invocation.name, visit_id, "fault", "reply_lost")
                reply(0)
            else:
                reply(task.result())

        def time_out() -> None:
            invocation.timed_out = True
            if self.options.level.zombie and self.rng.random() < self.options.level.zombie:
                self.faults.injected["zombie"] += 1
                self.note(invocation.name, visit_id, "fault", "timed out, goes on as a zombie")
            else:
                self.kill(invocation, "timed out")
            reply(0)

        invocation.reply = reply
        invocation.began_at = self.loop.time()
        context = copy_context()
        context.run(current.set, invocation)
        context.run(about_visit.set, visit_id)
        self.note(invocation.name, visit_id, "begins", attempt)
        task = self.loop.create_task(work(self.instances[number]), context=context)
        self.running[invocation.name] = invocation
        patience = self.loop.call_later(patience_s, reply, 0)
        limit = self.loop.call_later(limit_s, time_out)
        task.add_done_callback(over)
        if self.faults.chance("crash"):
            self.after(self._moment(), self._crash, invocation)

    def _moment(self) -> float:
        """Some moment in the life of an invocation; short ones are more likely than long ones."""
        return self.rng.choice((0.0, 0.05, 0.5, 3.0, 30.0)) * self.rng.random()

    def _crash(self, invocation: Invocation) -> None:
        if not invocation.is_over and not invocation.is_dead:
            self.kill(invocation, "crash")

    def kill(self, invocation: Invocation, why: str) -> None:
        """The process is gone, and all that it was doing; what it sent may still arrive.

        Another instance takes its place, which knows nothing.
        """
        if invocation.is_dead:
            return
        self.instances[invocation.instance] = self.new_instance(invocation.instance)
        for each in [*self.running.values()]:
            if each.instance == invocation.instance:
                each.is_dead = True
                del self.running[each.name]
                reason = why if each is invocation else f"gone with {invocation.name}"
                self.note(each.name, each.visit_id, "fault", reason)
                self.loop.call_soon(each.reply, 0)  # the connection is gone

    # -- calls to dependencies ---------------------------------------------------------------------

    async def call(
        self,
        dependency: Dependency,
        operation: str,
        effect: Callable[[], Any],
        policy: RetryPolicy,
        *,
        visit_id: str | None = None,
        takes_s: float = 0.0,
    ) -> Any:
        """The result of `effect`, which happens when the request arrives, if it arrives.

        The policy is the real one. Where nothing goes wrong at first, it has nothing to do and is
        left out.
        """
        invocation = current.get()
        visit_id = visit_id or about_visit.get()
        key = f"{dependency}.{operation}"
        self.calls[key] = self.calls.get(key, 0) + 1
        fate = self.faults.fate(dependency, self.loop._now)
        if fate is None:
            return await self._send(
                invocation, dependency, operation, effect, visit_id, takes_s, None
            )
        fates = [fate]

        async def make() -> Any:
            if fates:
                drawn: Fate | None = fates.pop()
            else:
                self.calls[key] += 1
                drawn = self.faults.fate(dependency, self.loop._now)
            return await self._send(
                invocation, dependency, operation, effect, visit_id, takes_s, drawn
            )

        return await retry.call(policy, CODES[dependency], make)

    def _send(
        self,
        invocation: Invocation,
        dependency: Dependency,
        operation: str,
        effect: Callable[[], Any],
        visit_id: str | None,
        takes_s: float,
        fate: Fate | None,
    ) -> Any:
        answer = self.loop.create_future()
        if invocation.is_dead:
            return answer  # which never comes
        if dependency in PROVIDERS:
            for watch in self.on_call:
                watch(invocation, dependency, visit_id)
        if self.asked_to_wait and visit_id is not None:
            self._check_patience(invocation, dependency, operation, visit_id)
        there = self.rng.random() * 0.2 if self.rng.random() < 0.4 else 0.0
        if fate is not None:
            invocation.hit(visit_id)
            if dependency not in PROVIDERS:
                invocation.disturbed.add(visit_id)
            self.note(invocation.name, visit_id, "fault", f"{fate} at {dependency}.{operation}")
            if fate is Fate.CRASH_BEFORE:
                self.kill(invocation, f"crash before {dependency}.{operation}")
                return answer
            if fate is Fate.LATE_ARRIVAL:
                there = self.rng.uniform(1.0, LATEST_ARRIVAL_S)
        arguments = (invocation, answer, dependency, operation, effect, visit_id, takes_s, fate)
        if there:
            self.loop.call_later(there, self._arrive, *arguments)
        else:
            self.loop.call_soon(self._arrive, *arguments)
        return answer

    def _arrive(
        self,
        invocation: Invocation,
        answer: Any,
        dependency: Dependency,
        operation: str,
        effect: Callable[[], Any],
        visit_id: str | None,
        takes_s: float,
        fate: Fate | None,
    ) -> None:
        nobody_waits = invocation.is_dead or answer.done()
        if nobody_waits and self.rng.random() < 0.5:
            return  # it had not left the machine yet
        error: Exception | None = None
        result: Any = None
        back = takes_s or (self.rng.random() * 0.2 if self.rng.random() < 0.4 else 0.0)
        if fate is Fate.OUTAGE:
            if self.rng.random() < 0.1:
                return
            error = Transient(CODES[dependency])
        elif fate is Fate.FAIL_BEFORE:
            error = Transient(CODES[dependency])
        elif fate is Fate.TOO_MANY:
            asked = self.rng.choice((None, 1.0, 5.0, 30.0, 120.0, 300.0, 600.0))
            error = Transient(CODES[dependency], retry_after_s=asked)
        elif fate is Fate.NO_ANSWER and self.rng.random() < 0.5:
            return
        else:
            try:
                result = effect()
            except Exception as raised:
                error = raised
            self.note(invocation.name, visit_id, operation, error or result)
            if fate is Fate.NO_ANSWER:
                return
            if operation in PAID and error is None and self.faults.chance("crash_after_paying"):
                fate = Fate.CRASH_AFTER
            if fate is Fate.CRASH_AFTER:
                self.kill(invocation, f"crash after {dependency}.{operation}")
                return
            if fate is Fate.FAIL_AFTER:
                error = Unanswered(CODES[dependency])
            if fate is Fate.SLOW:
                back += self.rng.choice((5.0, 20.0, 40.0, 40.0, 130.0)) * self.rng.uniform(0.1, 1.0)
        if back:
            self.loop.call_later(
                back, self._answer, invocation, answer, result, error, dependency, visit_id
            )
        else:
            self._answer(invocation, answer, result, error, dependency, visit_id)

    def _answer(
        self,
        invocation: Invocation,
        answer: Any,
        result: Any,
        error: Exception | None,
        dependency: Dependency,
        visit_id: str | None,
    ) -> None:
        if invocation.is_dead or answer.done():
            invocation.hit(visit_id)
            return
        if error is None:
            if self.asked_to_wait and dependency in HEEDS_RETRY_AFTER:
                # Whoever is answered after all knows better than who was told to wait.
                for key in [key for key in self.asked_to_wait if key[:2] == (dependency, visit_id)]:
                    del self.asked_to_wait[key]
            heard = getattr(result, "heard", None)
            answer.set_result(heard() if heard else result)
            return
        asked = getattr(error, "retry_after_s", None)
        if (
            asked
            and visit_id is not None
            and dependency in HEEDS_RETRY_AFTER
            and (invocation.kind != "webhook")
        ):
            stored = self.documents.get(visit_id)
            if stored is not None:
                until = self.loop._now + asked
                key = (dependency, visit_id, stored.visit.attempt)
                known = self.asked_to_wait.get(key)
                if known is None or invocation.began_at > known[2]:  # of two at once, the first
                    self.asked_to_wait[key] = (until, invocation, self.loop._now)
        answer.set_exception(error)

    def _check_patience(
        self, invocation: Invocation, dependency: Dependency, operation: str, visit_id: str
    ) -> None:
        """Who was asked to come back later comes back later, and so does whoever takes over."""
        stored = self.documents.get(visit_id)
        if stored is None or invocation.kind == "webhook":
            return
        asked = self.asked_to_wait.get((dependency, visit_id, stored.visit.attempt))
        if asked is None:
            return
        until, told, told_at = asked
        if invocation is not told and invocation.began_at <= told_at:
            return  # it set out before anybody knew
        # Whoever was told may have been stopped before it could pass it on.
        may_have_lost_it = told.hits(visit_id) > 1
        if self.loop._now < until - 0.5 and not may_have_lost_it:
            self.breach(
                "retryAfterIgnored",
                visit_id,
                f"{invocation.name} calls {dependency}.{operation} {until - self.loop._now:.0f} s "
                f"before the time that {told.name} was told",
            )

    def _on_saved(self, before: Visit | None, commit: Commit) -> None:
        for check in self.on_saved:
            check(before, commit)
        self.on_wake_up()

    # -- the parts ---------------------------------------------------------------------------------

    def store(self) -> SimulatedVisitStore:
        """The port of the store."""

        async def through(operation: str, visit_id: str | None, effect: Callable[[], Any]) -> Any:
            return await self.call(
                Dependency.STORE, operation, effect, retry.STORE, visit_id=visit_id
            )

        return SimulatedVisitStore(self.documents, through)
