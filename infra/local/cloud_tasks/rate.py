"""The token bucket that limits a queue's dispatch rate. Pure: time is passed in."""

from datetime import datetime, timedelta
from math import ceil

# Float rounding may leave a token a millionth short. It counts as a whole token; otherwise
# `next_token_at` would return the present and the caller would spin.
_ENOUGH = 1 - 1e-6


class TokenBucket:
    """Holds up to `burst` tokens, refilled with `per_second`; each dispatch takes one."""

    def __init__(self, per_second: float, burst: int, now: datetime) -> None:
        self._per_second = per_second
        self._burst = burst
        self._tokens = float(burst)
        self._counted_at = now

    def try_take(self, now: datetime) -> bool:
        """Take a token if there is one."""
        elapsed_s = max(0.0, (now - self._counted_at).total_seconds())
        self._tokens = min(float(self._burst), self._tokens + elapsed_s * self._per_second)
        self._counted_at = max(self._counted_at, now)
        if self._tokens < _ENOUGH:
            return False
        self._tokens -= 1
        return True

    def next_token_at(self) -> datetime:
        """The time at which a token is available; the time of the last look if one is available."""
        missing = max(0.0, 1 - self._tokens)
        # Rounded up to microseconds, the resolution of datetime: earlier there is no token.
        return self._counted_at + timedelta(microseconds=ceil(missing / self._per_second * 1e6))


def burst_size(per_second: float) -> int:
    """The burst of the service for a rate: 100 at the default of 500 a second, 10 at low rates.

    An approximation: the service calls its choice dynamic and does not publish the formula.
    """
    return max(10, min(100, round(per_second)))
