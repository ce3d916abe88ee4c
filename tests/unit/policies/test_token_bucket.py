"""Test the exact arithmetic of the token bucket, mostly with generated examples."""

from datetime import datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lumimd.policies.tiers import OF_ALL_USERS, POLICIES, Limited, OfAllUsers, Tier
from lumimd.policies.token_bucket import (
    UNITS,
    Bucket,
    Policy,
    full,
    give_back,
    refilled,
    take,
    usage,
)
from tests.support.services import START

MINUTE = timedelta(minutes=1)
TEN_A_MINUTE = Policy(tokens=10, per=MINUTE, burst=10)
SECONDS = timedelta(seconds=1)

unhurried = settings(deadline=None)  # other processes may slow this machine down

policies = st.builds(
    Policy,
    tokens=st.integers(1, 600),
    per=st.sampled_from([SECONDS, MINUTE, timedelta(hours=1), timedelta(days=1)]),
    burst=st.integers(1, 50),
)
gaps = st.lists(
    st.integers(0, 5).map(lambda n: timedelta(microseconds=10**n * 7)), min_size=1, max_size=80
)


def asked(policy: Policy, times: list[datetime], bucket: Bucket | None = None) -> list[datetime]:
    """Call at each of `times`; returns the times at which the call passes."""
    bucket, passed = bucket or full(times[0]), []
    for now in times:
        taken = take(bucket, policy, now)
        bucket = taken.bucket
        if taken.allowed:
            passed.append(now)
    return passed


def times_after(pauses: list[timedelta]) -> list[datetime]:
    times = [START]
    for pause in pauses:
        times.append(times[-1] + pause)
    return times


def may_pass(policy: Policy, window: timedelta) -> int:
    """Return how many calls may pass in a window with both ends: burst + rate * window."""
    rate = Fraction(policy.tokens, policy.per // timedelta(microseconds=1))
    return policy.burst + int(rate * (window // timedelta(microseconds=1)))


@unhurried
@given(policies, gaps)
def test_calls_in_any_window_stay_within_burst_and_rate(
    policy: Policy, pauses: list[timedelta]
) -> None:
    passed = asked(policy, times_after(pauses))
    for first, begins in enumerate(passed):
        for last, ends in enumerate(passed[first:], start=first):
            assert last - first + 1 <= may_pass(policy, ends - begins)


@unhurried
@given(policies, st.integers(1, 10**9))
def test_a_caller_that_never_pauses_gets_exactly_burst_and_rate(
    policy: Policy, microseconds: int
) -> None:
    now = START + timedelta(microseconds=microseconds)
    bucket, passed = full(START), 0
    while (taken := take(bucket, policy, START)).allowed:
        bucket, passed = taken.bucket, passed + 1
    assert passed == policy.burst
    expected = min(policy.burst, may_pass(policy, now - START) - policy.burst)
    again = asked(policy, [now] * (expected + 1), bucket)
    assert len(again) == expected


@unhurried
@given(policies, gaps)
def test_a_refused_call_passes_exactly_at_the_end_of_its_retry_after(
    policy: Policy, pauses: list[timedelta]
) -> None:
    bucket = full(START)
    for now in times_after(pauses):
        taken = take(bucket, policy, now)
        if not taken.allowed:
            at = now + timedelta(seconds=taken.retry_after_s)
            assert take(bucket, policy, at).allowed
            assert not take(bucket, policy, at - timedelta(microseconds=1)).allowed
        bucket = taken.bucket


@unhurried
@given(policies, st.lists(st.integers(-(10**7), 10**7), min_size=1, max_size=60))
def test_instances_with_different_clocks_never_allow_more_calls(
    policy: Policy, offsets: list[int]
) -> None:
    times = [START + timedelta(microseconds=offset) for offset in offsets]
    passed = asked(policy, times)
    assert len(passed) <= may_pass(policy, max(times) - times[0])


def test_the_eleventh_call_in_a_minute_is_refused() -> None:
    assert len(asked(TEN_A_MINUTE, [START] * 11)) == 10


def test_after_the_burst_calls_pass_at_the_rate() -> None:
    times = [START + n * SECONDS for n in range(61)]
    passed = asked(TEN_A_MINUTE, [START] * 10 + times)
    assert passed[10:] == [START + 6 * n * SECONDS for n in range(1, 11)]


def test_a_refused_call_does_not_change_the_bucket() -> None:
    bucket = Bucket(missing=10 * UNITS, at=START)
    assert take(bucket, TEN_A_MINUTE, START + SECONDS).bucket is bucket


def test_a_repeated_take_of_one_caller_takes_one_token() -> None:
    """A caller that lost the response to its save finds its own token taken."""
    once = take(full(START), TEN_A_MINUTE, START, "me").bucket
    again = take(once, TEN_A_MINUTE, START, "me")
    assert (again.allowed, again.bucket) == (True, once)


def test_a_token_that_is_given_back_may_be_taken_again() -> None:
    one = Policy(tokens=1, per=MINUTE, burst=1)
    bucket = take(full(START), one, START, "me").bucket
    assert not take(bucket, one, START, "you").allowed
    assert take(give_back(bucket, one, START), one, START, "me").allowed


def test_giving_a_token_back_to_a_full_bucket_changes_nothing() -> None:
    bucket = give_back(full(START), TEN_A_MINUTE, START)
    assert len(asked(TEN_A_MINUTE, [START] * 20, bucket)) == 10


def test_a_bucket_expires_at_the_time_it_is_full_again() -> None:
    bucket = take(full(START), TEN_A_MINUTE, START).bucket
    assert bucket.expires_at == START + 6 * SECONDS
    assert refilled(bucket, TEN_A_MINUTE, bucket.expires_at).missing == 0


def test_a_policy_with_more_tokens_applies_to_an_existing_bucket() -> None:
    high = Policy(tokens=100, per=MINUTE, burst=30)
    bucket = full(START)
    for _ in range(10):
        bucket = take(bucket, TEN_A_MINUTE, START).bucket
    assert not take(bucket, TEN_A_MINUTE, START).allowed
    assert len(asked(high, [START] * 40, bucket)) == 20
    for _ in range(20):
        bucket = take(bucket, high, START).bucket
    assert take(bucket, TEN_A_MINUTE, START).retry_after_s == 6.0


def test_usage_has_the_used_and_left_tokens_and_the_time_of_reset() -> None:
    bucket = full(START)
    for _ in range(3):
        bucket = take(bucket, TEN_A_MINUTE, START).bucket
    now = usage(bucket, TEN_A_MINUTE, START)
    assert (now.limit, now.used, now.left) == (10, 3, 7)
    assert now.resets_at == START + 18 * SECONDS
    a_little_later = usage(bucket, TEN_A_MINUTE, START + SECONDS)
    assert (a_little_later.used, a_little_later.left) == (3, 7)
    assert usage(bucket, TEN_A_MINUTE, START + 6 * SECONDS).left == 8


@pytest.mark.parametrize(("tokens", "burst"), [(0, 1), (1, 0)])
def test_a_policy_without_tokens_is_refused(tokens: int, burst: int) -> None:
    with pytest.raises(ValueError):
        Policy(tokens=tokens, per=MINUTE, burst=burst)


def test_a_rate_below_one_token_a_day_is_refused() -> None:
    with pytest.raises(ValueError):
        Policy(tokens=1, per=timedelta(days=7), burst=1)


def test_every_limit_of_the_paid_tier_is_at_least_that_of_the_free_tier() -> None:
    for limit in Limited:
        free, paid = POLICIES[limit][Tier.FREE], POLICIES[limit][Tier.PAID]
        assert paid.per_day >= free.per_day
        assert paid.burst >= free.burst
    assert set(OF_ALL_USERS) == set(OfAllUsers)


def test_an_unknown_tier_is_the_default() -> None:
    stored = ["paid", "free", "gold", None, 7, ["paid"]]
    assert [Tier.named(each, Tier.FREE) for each in stored] == [Tier.PAID, *[Tier.FREE] * 5]
    assert {Tier.named(each, Tier.PAID) for each in ("gold", None)} == {Tier.PAID}
