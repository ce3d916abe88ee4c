"""The token bucket that limits a queue's dispatch rate. Pure: the time is passed in."""

from datetime import datetime, timedelta
from math import ceil

# Float rounding may leave a token a millionth short. Such a token counts as a whole token;
# otherwise `next_token_at` would return the present, and the caller would loop without a pause.
_ENOUGH = 1 - 1e-6


class TokenBucket:
    """Holds up to `burst` tokens, refilled at `per_second`; each dispatch takes one token."""

    def __init__(self, per_second: float, burst: int, now: datetime) -> None:
        self._per_second = per_second
        self._burst = burst
        self._tokens = float(burst)
        self._counted_at = now

    def try_take(self, now: datetime) -> bool:
        """Take a token if there is one, and return whether there was one."""
        elapsed_s = max(0.0, (now - self._counted_at).total_seconds())
        self._tokens = min(float(self._burst), self._tokens + elapsed_s * self._per_second)
        self._counted_at = max(self._counted_at, now)
        if self._tokens < _ENOUGH:
            return False
        self._tokens -= 1
        return True

    def next_token_at(self) -> datetime:
        """Return the time of the next token, or of the last refill if a token is available."""
        missing = max(0.0, 1 - self._tokens)
        # Rounded up to microseconds, the resolution of datetime, because earlier there is no token.
        return self._counted_at + timedelta(microseconds=ceil(missing / self._per_second * 1e6))


def burst_size(per_second: float) -> int:
    """Return the burst size for a rate: 100 at the default of 500 a second, 10 at low rates.

    This is an approximation: the service chooses the size by a formula that is not published.
    """
    return max(10, min(100, round(per_second)))
