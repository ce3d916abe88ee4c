"""Sends requests from an instance to a dependency, and answers back, with injected faults."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import ProviderRefuses, Transient, Unanswered
from lumimd.policies import retry
from lumimd.policies.retry import RetryPolicy
from tests.simulation.faults import Dependency, Fate
from tests.simulation.invocation import Invocation, about_visit, current

if TYPE_CHECKING:
    from tests.simulation.world import World

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
"""Longest delay of a request, which may arrive after the caller stopped waiting."""

NOT_THE_VISITS: Final = ("webhook", "hold", "release")
"""Invocations exempt from Retry-After, because a provider or an operator repeats them."""


class Network:
    """Carries requests and answers, which may be lost or late."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._loop, self._rng, self._faults = world.loop, world.rng, world.faults
        self._documents, self._note = world.documents, world.note
        self.calls: dict[str, int] = {}
        self._attempt_of: WeakKeyDictionary[Any, int] = WeakKeyDictionary()
        self.asked_to_wait: dict[tuple[Dependency, str, int], tuple[float, Invocation, float]] = {}

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
        """Send a request; return the result of `effect`, which happens when the request arrives.

        `policy` is the real retry policy, which the call skips if the first try has no fault.
        """
        invocation = current.get()
        visit_id = visit_id or about_visit.get()
        key = f"{dependency}.{operation}"
        self.calls[key] = self.calls.get(key, 0) + 1
        fate = self._faults.fate(dependency, self._loop._now)
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
                drawn = self._faults.fate(dependency, self._loop._now)
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
        answer = self._loop.create_future()
        if invocation.is_dead:
            return answer  # no result ever arrives
        if fate is Fate.TOO_MANY and visit_id is not None:
            # Retry-After binds the attempt that called; a newer recording begins another attempt.
            stored = self._documents.get(visit_id)
            present = stored.visit.attempt if stored else 0
            self._attempt_of[answer] = invocation.leased.get(visit_id, present)
        if dependency in PROVIDERS:
            for watch in self._world.on_call:
                watch(invocation, dependency, operation, visit_id)
        if self.asked_to_wait and visit_id is not None:
            self._check_retry_after(invocation, dependency, operation, visit_id)
        there = self._rng.random() * 0.2 if self._rng.random() < 0.4 else 0.0
        if fate is not None:
            invocation.hit(visit_id)
            if dependency not in PROVIDERS:
                invocation.disturbed.add(visit_id)
            self._note(invocation.name, visit_id, "fault", f"{fate} at {dependency}.{operation}")
            if fate is Fate.CRASH_BEFORE:
                self._world.kill(invocation, f"crash before {dependency}.{operation}")
                return answer
            if fate is Fate.LATE_ARRIVAL:
                there = self._rng.uniform(1.0, LATEST_ARRIVAL_S)
        arguments = (invocation, answer, dependency, operation, effect, visit_id, takes_s, fate)
        if there:
            self._loop.call_later(there, self._arrive, *arguments)
        else:
            self._loop.call_soon(self._arrive, *arguments)
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
        is_abandoned = invocation.is_dead or answer.done()
        if is_abandoned and self._rng.random() < 0.5:
            return  # the request had not left the instance yet
        error: Exception | None = None
        result: Any = None
        back = takes_s or (self._rng.random() * 0.2 if self._rng.random() < 0.4 else 0.0)
        if fate is Fate.OUTAGE:
            if self._rng.random() < 0.1:
                return
            error = Transient(CODES[dependency])
        elif fate is Fate.FAIL_BEFORE:
            error = Transient(CODES[dependency])
        elif fate is Fate.TOO_MANY:
            asked = self._rng.choice((None, 1.0, 5.0, 30.0, 120.0, 300.0, 600.0))
            error = Transient(CODES[dependency], retry_after_s=asked)
        elif fate is Fate.NO_ANSWER and self._rng.random() < 0.5:
            return
        elif refused := self._faults.refusal(dependency, operation in PAID, self._loop._now):
            error = ProviderRefuses(CODES[dependency], refused)
        else:
            try:
                result = effect()
            except Exception as raised:
                error = raised
            self._note(invocation.name, visit_id, operation, error or result)
            if fate is Fate.NO_ANSWER:
                return
            if operation in PAID and error is None and self._faults.chance("crash_after_paying"):
                fate = Fate.CRASH_AFTER
            if fate is Fate.CRASH_AFTER:
                self._world.kill(invocation, f"crash after {dependency}.{operation}")
                return
            if fate is Fate.FAIL_AFTER:
                error = Unanswered(CODES[dependency])
            if fate is Fate.SLOW:
                back += self._rng.choice((5.0, 20.0, 40.0, 40.0, 130.0)) * self._rng.uniform(
                    0.1, 1.0
                )
        if back:
            self._loop.call_later(
                back,
                self._answer,
                invocation,
                answer,
                result,
                error,
                dependency,
                operation,
                visit_id,
            )
        else:
            self._answer(invocation, answer, result, error, dependency, operation, visit_id)

    def _answer(
        self,
        invocation: Invocation,
        answer: Any,
        result: Any,
        error: Exception | None,
        dependency: Dependency,
        operation: str,
        visit_id: str | None,
    ) -> None:
        if invocation.is_dead or answer.done():
            invocation.hit(visit_id)
            return
        if error is None:
            try:
                result = result.heard() if hasattr(result, "heard") else result
            except Exception as failure:  # the answer is an error
                answer.set_exception(failure)
                return
            if self.asked_to_wait and dependency in HEEDS_RETRY_AFTER:
                # A successful answer is newer than an earlier Retry-After and cancels it.
                for key in [key for key in self.asked_to_wait if key[:2] == (dependency, visit_id)]:
                    del self.asked_to_wait[key]
            answer.set_result(result)
            return
        asked = getattr(error, "retry_after_s", None)
        if (
            asked
            and visit_id is not None
            and dependency in HEEDS_RETRY_AFTER
            and invocation.kind not in NOT_THE_VISITS
            and operation != "hold"  # an event or an operator may repeat this call at any time
        ):
            stored = self._documents.get(visit_id)
            if stored is not None:
                until = self._loop._now + asked
                attempt = self._attempt_of.get(answer, stored.visit.attempt)
                key = (dependency, visit_id, attempt)
                known = self.asked_to_wait.get(key)
                if known is None or invocation.began_at > known[2]:  # keep the earlier of two
                    self.asked_to_wait[key] = (until, invocation, self._loop._now)
        answer.set_exception(error)

    def _check_retry_after(
        self, invocation: Invocation, dependency: Dependency, operation: str, visit_id: str
    ) -> None:
        """Check that this worker honours the Retry-After that it or an earlier worker received."""
        stored = self._documents.get(visit_id)
        if stored is None or invocation.kind == "webhook" or operation == "hold":
            return
        asked = self.asked_to_wait.get((dependency, visit_id, stored.visit.attempt))
        if asked is None:
            return
        until, informed, informed_at = asked
        if invocation is not informed and invocation.began_at <= informed_at:
            return  # this worker began before the answer with Retry-After
        # The worker that received the Retry-After may have stopped before it saved it.
        may_be_unsaved = informed.hits(visit_id) > 1
        if self._loop._now < until - 0.5 and not may_be_unsaved:
            self._world.breach(
                "retryAfterIgnored",
                visit_id,
                f"{invocation.name} calls {dependency}.{operation} {until - self._loop._now:.0f} s "
                f"before the Retry-After that {informed.name} received",
            )
