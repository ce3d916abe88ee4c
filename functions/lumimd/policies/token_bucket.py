"""Token buckets for rate limits, in pure functions that are exact because they use whole numbers.

A full bucket holds `burst` tokens. Each call takes one token; tokens return at the rate of the
policy. In any time `t`, at most `burst + rate * t` calls pass on all instances together, and a
caller that keeps asking gets that number, rounded down.

The stored value is the number of missing tokens. So a policy that allows more calls applies
immediately, a full bucket needs no document, and a bucket that was unused for a while may be
deleted.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from lumimd.domain.document import Document

_MICROSECOND: Final = timedelta(microseconds=1)

UNITS: Final = timedelta(days=1) // _MICROSECOND
"""The units of one token: a policy of n tokens a day returns n units in each microsecond."""


@dataclass(frozen=True)
class Policy:
    """A rate of `tokens` in each period `per`; at most `burst` tokens accumulate.

    Raises:
        ValueError: the rate is not a whole number of tokens a day, or a number is below 1.
    """

    tokens: int
    per: timedelta
    burst: int

    def __post_init__(self) -> None:
        if self.tokens < 1 or self.burst < 1 or self.tokens * timedelta(days=1) % self.per:
            raise ValueError(f"not a whole number of tokens a day: {self}")

    @property
    def per_day(self) -> int:
        """The number of tokens that return in a day, or of units that return in a microsecond."""
        return self.tokens * timedelta(days=1) // self.per

    def time_for(self, units: int) -> timedelta:
        """Return the time until `units` have returned, in whole microseconds, rounded up."""
        return -(-units // self.per_day) * _MICROSECOND


class Bucket(Document):
    """The number of `missing` units at the time `at`, and the `taker` of the last token.

    From `expires_at` on the bucket is full, and its document may be deleted.
    """

    missing: int = 0
    at: datetime
    taker: str = ""
    expires_at: datetime | None = None


@dataclass(frozen=True)
class Taken:
    """The bucket after a request, with the seconds until a token returns (0 if `allowed`)."""

    bucket: Bucket
    allowed: bool
    retry_after_s: float = 0.0


@dataclass(frozen=True)
class Usage:
    """The used and the remaining tokens of `limit`, and the time when all tokens have returned."""

    limit: int
    used: int
    left: int
    resets_at: datetime


def full(now: datetime) -> Bucket:
    """Return a full bucket, for a user without a stored bucket."""
    return Bucket(at=now)


def refilled(bucket: Bucket, policy: Policy, now: datetime) -> Bucket:
    """Return the bucket at `now`.

    If `now` is before the time of the bucket, its tokens stay, since clocks differ a little.
    """
    missing = min(bucket.missing, policy.burst * UNITS)
    elapsed = max(now - bucket.at, timedelta(0)) // _MICROSECOND
    missing = max(0, missing - elapsed * policy.per_day)
    return bucket.model_copy(update={"missing": missing, "at": max(bucket.at, now)})


def take(bucket: Bucket, policy: Policy, now: datetime, taker: str = "") -> Taken:
    """Take one token if the bucket has a token; else the bucket does not change.

    A second call with the same `taker` is a retry after a lost answer and takes no second token.
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
    """Return the bucket with one token more, for a call that was not executed."""
    present = refilled(bucket, policy, now)
    return _with(present, policy, max(0, present.missing - UNITS), "")


def usage(bucket: Bucket, policy: Policy, now: datetime) -> Usage:
    """Return the usage that a user sees. A token that has returned only in part counts as used."""
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
