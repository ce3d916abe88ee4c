"""A sliding window over the last calls of one instance, which decides when the breaker opens."""

from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median_high

from lumimd.policies.breaker import BreakerPolicy, Reason


@dataclass(frozen=True, slots=True)
class Call:
    """A finished call: its end, its duration, and whether the dependency failed."""

    ended_at: datetime
    took: timedelta
    failed: bool


class Window:
    """The calls of one instance `since` the breaker last changed."""

    def __init__(self, policy: BreakerPolicy, since: datetime | None) -> None:
        self.since = since
        self._policy = policy
        self._calls: deque[Call] = deque(maxlen=policy.calls)
        self._failures_in_a_row = 0
        self._answered_at: datetime | None = None

    def answered_after(self, moment: datetime) -> bool:
        """Whether a call of this instance succeeded after `moment`."""
        return self._answered_at is not None and self._answered_at > moment

    def add(self, call: Call) -> Reason | None:
        """Count a call, and return the reason to open the breaker now, or None.

        A successful and fast call never opens the breaker, so it returns early.
        """
        self._calls.append(call)
        self._failures_in_a_row = self._failures_in_a_row + 1 if call.failed else 0
        if not call.failed:
            self._answered_at = call.ended_at
        if not call.failed and call.took <= self._policy.slow:
            return None
        if self._failures_in_a_row >= self._policy.failures:
            return Reason.FAILURES_IN_A_ROW
        begin = call.ended_at - self._policy.window
        recent = [each for each in self._calls if each.ended_at > begin]
        if len(recent) < self._policy.least_calls:
            return None
        if sum(each.failed for each in recent) >= self._policy.error_rate * len(recent):
            return Reason.ERROR_RATE
        if median_high(each.took for each in recent) > self._policy.slow:
            return Reason.SLOW
        return None
