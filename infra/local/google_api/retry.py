"""Computes backoff and retry limits of tasks and of scheduler jobs. Pure.

The rules are those of `google.cloud.tasks.v2.RetryConfig` (the scheduler's RetryConfig has the same
backoff): the interval doubles `max_doublings` times, then grows by its last step, up to
`max_backoff`. With 10 s, 300 s and 3 doublings: 10, 20, 40, 80, 160, 240, 300, 300, ...
"""

from datetime import datetime, timedelta

from google.cloud import tasks_v2

# The real service's defaults for a queue without retry settings.
DEFAULT_MAX_ATTEMPTS = 100
DEFAULT_MIN_BACKOFF = timedelta(milliseconds=100)
DEFAULT_MAX_BACKOFF = timedelta(hours=1)
DEFAULT_MAX_DOUBLINGS = 16
UNLIMITED = -1


def with_default_retry(config: tasks_v2.RetryConfig) -> tasks_v2.RetryConfig:
    """Return a copy with every unspecified setting filled in.

    A `max_doublings` of 0 counts as unspecified, because the wire format treats both alike.
    """
    filled = tasks_v2.RetryConfig(config)
    filled.max_attempts = filled.max_attempts or DEFAULT_MAX_ATTEMPTS
    filled.max_doublings = filled.max_doublings or DEFAULT_MAX_DOUBLINGS
    if "min_backoff" not in filled:
        filled.min_backoff = DEFAULT_MIN_BACKOFF
    if "max_backoff" not in filled:
        filled.max_backoff = DEFAULT_MAX_BACKOFF
    return filled


def backoff(
    failures: int, *, min_backoff: timedelta, max_backoff: timedelta, max_doublings: int
) -> timedelta:
    """Return the wait after the `failures`-th failure in a row (counted from 1)."""
    doublings = min(failures - 1, max_doublings)
    linear_steps = failures - 1 - doublings
    # Computed in floats, so that a large max_doublings does not overflow a timedelta.
    seconds = min_backoff.total_seconds() * 2.0 ** min(doublings, 64) * (1 + linear_steps)
    return min(timedelta(seconds=min(seconds, max_backoff.total_seconds())), max_backoff)


def exhausted(
    config: tasks_v2.RetryConfig, attempts: int, first_attempt_at: datetime, now: datetime
) -> bool:
    """Return whether a task that failed `attempts` times is given up.

    Both limits must be reached, `max_attempts` and `max_retry_duration`. If one is unlimited, the
    other limit decides; if both are unlimited, a task is always retried.
    """
    attempts_limited = config.max_attempts != UNLIMITED
    duration_limited = config.max_retry_duration > timedelta(0)
    if not (attempts_limited or duration_limited):
        return False
    attempts_reached = not attempts_limited or attempts >= config.max_attempts
    duration_reached = not duration_limited or now - first_attempt_at >= config.max_retry_duration
    return attempts_reached and duration_reached
