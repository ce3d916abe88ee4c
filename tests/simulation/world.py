"""A world is one simulation run: seed, event loop, faults, documents, instances and trace."""

import random
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random
from typing import Any, Final

from lumimd.domain.commit import Commit
from lumimd.domain.visit import Visit
from lumimd.policies import retry
from lumimd.policies.deployment import Policy
from tests.simulation.faults import Dependency, Faults
from tests.simulation.invocation import Invocation, about_visit, current
from tests.simulation.levels import Level
from tests.simulation.loop import SimulatedLoop
from tests.simulation.network import Network
from tests.simulation.store import Documents

START: Final = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)

EXPIRES_AFTER: Final = timedelta(days=2)
"""Time until a visit expires: short, so that simulations are short, but longer than outages."""

KILLED_AFTER_S: Final = 10.0
"""Time between SIGTERM and SIGKILL, as in Cloud Run."""

IMPATIENT: Final = timedelta(hours=2)
"""Time until expiry in some worlds, so that visits expire while a worker has their lease."""

BUCKET: Final = "recordings"


@dataclass(frozen=True)
class Options:
    """The options that determine a world, together with the seed."""

    visits: int
    level: Level
    outages: tuple[tuple[Dependency, float], ...] = ()
    stop_at_first: bool = True


@dataclass(frozen=True)
class Breach:
    """A broken invariant, its visit, and the time (seconds)."""

    invariant: str
    visit_id: str | None
    at: float
    detail: str


class World:
    """The state of one simulation run, which only the seed and the options determine."""

    def __init__(self, seed: int, options: Options) -> None:
        self.seed = seed
        self.options = options
        self.rng = Random(seed)
        random.seed(seed)  # the jitter of tenacity is random
        self.loop = SimulatedLoop(Random(seed + 1))
        self.faults = Faults(options.level, Random(seed + 2), options.outages)
        self.documents = Documents(on_saved=self._on_saved, on_deletion=self._on_deletion)
        self.trace: list[tuple[float, str, str | None, str, Any]] = []
        self.breaches: list[Breach] = []
        self.on_saved: list[Callable[[Visit | None, Commit], None]] = []
        self.on_deletion: list[Callable[[Visit], None]] = []
        self.on_call: list[Callable[[Invocation, Dependency, str, str | None], None]] = []
        self.on_kill: list[Callable[[Invocation], None]] = []
        self.on_wake_up: Callable[[], None] = lambda: None
        self.network = Network(self)
        self.call = self.network.call
        self.has_few_permits = self.faults.chance("few_places")
        self.is_rush = self.faults.chance("rush")
        self.is_rationed = self.faults.chance("rationed")
        self.is_capped = self.faults.chance("capped")
        self.has_backlog = self.faults.chance("backlog")
        self.policy = Policy(
            bucket=BUCKET,
            requires_consent=not self.faults.chance("no_consent_asked"),
            expires_after=IMPATIENT if self.faults.chance("impatient") else EXPIRES_AFTER,
        )
        self.running: dict[str, Invocation] = {}
        self.instances: list[Any] = []
        self.new_instance: Callable[[], Any] = lambda: None
        self.ids = count(1)

    def now(self) -> datetime:
        """Return the simulated time."""
        return START + timedelta(seconds=self.loop._now)

    def note(self, actor: str, visit_id: str | None, event: str, detail: Any = None) -> None:
        self.trace.append((self.loop._now, actor, visit_id, event, detail))

    def breach(self, invariant: str, visit_id: str | None, detail: str = "") -> None:
        self.note("INVARIANT", visit_id, invariant, detail)
        self.breaches.append(Breach(invariant, visit_id, self.loop._now, detail))
        if self.options.stop_at_first:
            self.loop.stop()

    def after(self, seconds: float, act: Callable[..., None], *args: Any) -> None:
        """Call `act` after `seconds` of simulated time."""
        self.loop.call_later(seconds, act, *args)

    def dispose(self) -> None:
        """Drop all references, which saves the garbage collector a search for cycles."""
        for kept in (
            self.trace,
            self.network.__dict__,
            self.running,
            self.on_saved,
            self.on_deletion,
            self.on_kill,
            self.on_call,
            self.instances,
        ):
            kept.clear()
        self.documents.__dict__.clear()
        del self.call
        self.on_wake_up = lambda: None
        self.new_instance = lambda: None

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
        """Call an entry point on a random instance, whose services `work` gets.

        `on_reply` gets the status, or 0 if no response came in time.
        """
        instance = self.rng.choice(self.instances)
        invocation = Invocation(f"{kind}#{next(self.ids)}", kind, visit_id, attempt, instance)
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
        task = self.loop.create_task(work(instance), context=context)
        self.running[invocation.name] = invocation
        patience = self.loop.call_later(patience_s, reply, 0)
        limit = self.loop.call_later(limit_s, time_out)
        task.add_done_callback(over)
        if self.faults.chance("crash"):
            self.after(self._moment(), self._crash, invocation)
        if self.faults.chance("told_to_end"):
            self.after(self._moment(), self._send_sigterm, invocation)

    def _moment(self) -> float:
        """Return a random time (seconds) after an invocation's begin; early times are likelier."""
        return self.rng.choice((0.0, 0.05, 0.5, 3.0, 30.0)) * self.rng.random()

    def _crash(self, invocation: Invocation) -> None:
        if not invocation.is_over and not invocation.is_dead:
            self.kill(invocation, "crash")

    def _send_sigterm(self, invocation: Invocation) -> None:
        """Send SIGTERM, give the instance no new requests, and send SIGKILL ten seconds later."""
        if invocation.is_over or invocation.is_dead or invocation.instance not in self.instances:
            return
        self.note(invocation.name, invocation.visit_id, "fault", "SIGTERM")
        self._replace(invocation.instance)
        invocation.instance.shutdown.begin()
        self.after(KILLED_AFTER_S, self._end, invocation.instance, "ended")

    def _replace(self, instance: Any) -> None:
        if instance in self.instances:
            self.instances[self.instances.index(instance)] = self.new_instance()

    def kill(self, invocation: Invocation, why: str) -> None:
        """Crash the process and all its invocations; requests that they sent may still arrive.

        A new instance without state replaces the crashed process.
        """
        if invocation.is_dead:
            return
        self._replace(invocation.instance)
        self._end(invocation.instance, f"{why}: {invocation.name}")

    def poison(self, invocation: Invocation) -> None:
        """Crash the process of this entry point, because only it opened the recording."""
        self._end(invocation.instance, f"poison: {invocation.name}", kind=invocation.kind)

    def _end(self, instance: Any, reason: str, kind: str | None = None) -> None:
        for each in [*self.running.values()]:
            if each.instance is instance and kind in (None, each.kind):
                each.is_dead = True
                for watch in self.on_kill:
                    watch(each)
                del self.running[each.name]
                self.note(each.name, each.visit_id, "fault", reason)
                self.loop.call_soon(each.reply, 0)  # the connection is gone

    def _on_saved(self, before: Visit | None, commit: Commit) -> None:
        for check in self.on_saved:
            check(before, commit)
        self.on_wake_up()

    def _on_deletion(self, visit: Visit | None) -> None:
        """Tell the watchers that a visit was deleted; None: a deletion receipt was written."""
        if visit is not None:
            for check in self.on_deletion:
                check(visit)
        self.on_wake_up()

    def through_store(
        self, operation: str, visit_id: str | None, effect: Callable[[], Any]
    ) -> Awaitable[Any]:
        """Send a request to the simulated store, with faults; return its result."""
        return self.call(Dependency.STORE, operation, effect, retry.STORE, visit_id=visit_id)
