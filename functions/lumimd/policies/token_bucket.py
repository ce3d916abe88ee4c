"""The token bucket: pure, and exact, since it uses whole numbers only.

A full bucket holds `burst` tokens. Each call takes one; they come back at the rate of the policy.
In any time `t` at most `burst + rate * t` calls pass, on all instances together, and a caller that
keeps asking gets that number, rounded down.

The stored value is the number of missing tokens. So a policy that allows more applies at once, a
full bucket needs no document, and a bucket that was unused for a while may be deleted.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from lumimd.domain.document import Document

_MICROSECOND: Final = timedelta(microseconds=1)

UNITS: Final = timedelta(days=1) // _MICROSECOND
"""The units of one token: a policy of n tokens a day gives back n units in each microsecond."""


@dataclass(frozen=True)
class Policy:
    """`tokens` come back in each `per`; at most `burst` of them accumulate.

    Raises:
        ValueError: the rate is not a whole number of tokens a day, or there is no token.
    """

    tokens: int
    per: timedelta
    burst: int

    def __post_init__(self) -> None:
        if self.tokens < 1 or self.burst < 1 or self.tokens * timedelta(days=1) % self.per:
            raise ValueError(f"not a whole number of tokens a day: {self}")

    @property
    def per_day(self) -> int:
        """Tokens that come back in a day, and units in a microsecond."""
        return self.tokens * timedelta(days=1) // self.per

    def time_for(self, units: int) -> timedelta:
        """The time until `units` are back, in whole microseconds, rounded up."""
        return -(-units // self.per_day) * _MICROSECOND


class Bucket(Document):
    """The `missing` units at `at`, and the `taker` of the last token.

    From `expires_at` on the bucket is full, and its document may be deleted.
    """

    missing: int = 0
    at: datetime
    taker: str = ""
    expires_at: datetime | None = None


@dataclass(frozen=True)
class Taken:
    """The bucket after a request. `retry_after_s`: time until a token is back; 0 if allowed."""

    bucket: Bucket
    allowed: bool
    retry_after_s: float = 0.0


@dataclass(frozen=True)
class Usage:
    """Tokens used and left of `limit`, and when all of them are back."""

    limit: int
    used: int
    left: int
    resets_at: datetime


def full(now: datetime) -> Bucket:
    """The bucket of a user without a stored one."""
    return Bucket(at=now)


def refilled(bucket: Bucket, policy: Policy, now: datetime) -> Bucket:
    """The bucket at `now`; unchanged if `now` is before its time, since clocks differ a little."""
    missing = min(bucket.missing, policy.burst * UNITS)
    elapsed = max(now - bucket.at, timedelta(0)) // _MICROSECOND
    missing = max(0, missing - elapsed * policy.per_day)
    return bucket.model_copy(update={"missing": missing, "at": max(bucket.at, now)})


def take(bucket: Bucket, policy: Policy, now: datetime, taker: str = "") -> Taken:
    """Take one token, if there is one; a bucket that refuses does not change.

    The same `taker` again is the same call after a lost answer: it takes no other token.
    """
    if taker and bucket.taker == taker:
        return Taken(bucket, allowed=True)
    present = refilled(bucket, policy, now)
    lacking = present.missing + UNITS - policy.burst * UNITS
    if lacking > 0:
        wait = policy.time_for(lacking) + (present.at - now)
        return Taken(bucket, allowed=False, retry_after_s=wait.total_seconds())
    return Taken(_with(present, policy, present.missing + UNITS, taker), allowed=True)


def give_back(bucket: Bucket, policy: Policy, now: datetime) -> Bucket:
    """The bucket with one token more, for work that did not happen."""
    present = refilled(bucket, policy, now)
    return _with(present, policy, max(0, present.missing - UNITS), "")


def usage(bucket: Bucket, policy: Policy, now: datetime) -> Usage:
    """The usage that a user sees. A token that is partly back counts as used."""
    present = refilled(bucket, policy, now)
    used = -(-present.missing // UNITS)
    resets_at = present.at + policy.time_for(present.missing)
    return Usage(policy.burst, used, policy.burst - used, resets_at)


def _with(bucket: Bucket, policy: Policy, missing: int, taker: str) -> Bucket:
    return bucket.model_copy(
        update={
            "missing": missing,
            "taker": taker,
            "expires_at": bucket.at + policy.time_for(missing),
        }
    )
