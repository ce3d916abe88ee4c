"""The retry policies for calls to dependencies.

The retries of SDKs are off everywhere. So a visit causes at most `attempts` calls, multiplied by
the tries of its stage.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final, TypeVar

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    wait_exponential_jitter,
    wait_random,
)

from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import Held, TimedOut, Transient, Unanswered
from lumimd.policies.waiting import MAX_RETRY_AFTER

T = TypeVar("T")


@dataclass(frozen=True)
class RetryPolicy:
    """At most `attempts` calls of `timeout_s` each, with exponential backoff and jitter.

    A Retry-After of more than `max_wait_s` ends the call, and the visit waits for that time
    instead. `repeats_unanswered` is False if a call without a response may have been charged. Then
    only the next try of the stage, which is counted, repeats the call.
    """

    attempts: int
    timeout_s: float
    initial_s: float
    max_wait_s: float
    jitter_s: float
    repeats_unanswered: bool = True


STORE: Final = RetryPolicy(attempts=4, timeout_s=10, initial_s=0.1, max_wait_s=2, jitter_s=0.1)
"""Reads and writes of Firestore."""
TASKS: Final = RetryPolicy(attempts=3, timeout_s=10, initial_s=0.2, max_wait_s=2, jitter_s=0.2)
"""Calls to Cloud Tasks."""
AUDIO: Final = RetryPolicy(attempts=3, timeout_s=30, initial_s=0.5, max_wait_s=4, jitter_s=0.5)
"""Calls to the bucket."""
MEASURE: Final = RetryPolicy(
    attempts=3, timeout_s=45, initial_s=0.5, max_wait_s=4, jitter_s=0.5, repeats_unanswered=False
)
"""Reads of a recording's duration, including the wait for a free process. The stage counts
recordings that crash the process."""
TRANSCRIPTION: Final = RetryPolicy(attempts=3, timeout_s=30, initial_s=1, max_wait_s=8, jitter_s=1)
"""Reads of jobs at the provider; they are free."""
ORDER: Final = RetryPolicy(attempts=1, timeout_s=30, initial_s=1, max_wait_s=1, jitter_s=1)
"""Orders (paid jobs), which have no idempotency key: one call; before another call, the provider's
list is searched for the job."""
LOOK: Final = RetryPolicy(attempts=1, timeout_s=30, initial_s=1, max_wait_s=1, jitter_s=1)
"""Calls that are repeated anyway some minutes later: one call each."""
MODEL: Final = RetryPolicy(
    attempts=3, timeout_s=120, initial_s=1, max_wait_s=20, jitter_s=1, repeats_unanswered=False
)
"""Calls of the model. A lost response is charged as well; an error response (429, 5xx) is free."""


async def call(policy: RetryPolicy, code: ErrorCode, make: Callable[[], Awaitable[T]]) -> T:
    """Return the result of `make()`, which is retried by `policy` while it raises `Transient`.

    Raises:
        TimedOut: the last call took longer than the policy allows, and was cancelled.
        Transient: the error of the last call, or of a call that must not be retried here.
    """

    async def once() -> T:
        try:
            async with asyncio.timeout(policy.timeout_s):
                return await make()
        except TimeoutError as error:
            raise TimedOut(code) from error

    return await AsyncRetrying(
        retry=retry_if_exception(lambda error: _may_repeat(policy, error)),
        stop=stop_after_attempt(policy.attempts),
        wait=lambda state: _wait_s(policy, state),
        reraise=True,
    )(once)


def seconds_asked(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Return the Retry-After of a response in seconds, at most a day, or None.

    `retry-after-ms` is more exact and takes precedence. A date in `Retry-After` counts from the
    `Date` of the response, so that a wrong clock does not matter, or else from `now`.
    """
    asked_ms = _number(headers.get("retry-after-ms", ""))
    if asked_ms is not None:
        return _bounded(asked_ms / 1000)
    asked = headers.get("retry-after", "")
    seconds = _number(asked)
    if seconds is not None:
        return _bounded(seconds)
    until = _instant(asked)
    if until is None:
        return None
    return _bounded((until - _answered_at(headers, now)).total_seconds())


def _answered_at(headers: Mapping[str, str], now: datetime | None) -> datetime:
    # An adapter has no clock, and nearly every response has a `Date`.
    return _instant(headers.get("date", "")) or now or datetime.now(UTC)  # noqa: TID251


def _bounded(seconds: float) -> float:
    return min(max(seconds, 0.0), MAX_RETRY_AFTER.total_seconds())


def _number(text: str) -> float | None:
    text = text.strip()
    return float(text) if re.fullmatch(r"[0-9]+(\.[0-9]*)?", text) else None


def _instant(text: str) -> datetime | None:
    """Return the instant of an HTTP date, in UTC if it has no zone; None for any other text."""
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found


def _may_repeat(policy: RetryPolicy, error: BaseException) -> bool:
    if isinstance(error, Unanswered) and not policy.repeats_unanswered:
        return False
    if isinstance(error, Held):
        return False  # a retry would be refused too
    return isinstance(error, Transient) and (error.retry_after_s or 0.0) <= policy.max_wait_s


def _wait_s(policy: RetryPolicy, state: RetryCallState) -> float:
    backoff = wait_exponential_jitter(
        multiplier=policy.initial_s, max=policy.max_wait_s, jitter=policy.jitter_s
    )
    error = state.outcome.exception() if state.outcome else None
    asked_s = error.retry_after_s if isinstance(error, Transient) else None
    if asked_s is None:
        return backoff(state)
    # Callers with the same Retry-After must not all return at the same moment.
    return max(backoff(state), asked_s + wait_random(0, policy.jitter_s)(state))
