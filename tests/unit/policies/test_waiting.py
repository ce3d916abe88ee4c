"""Test the pauses between the tries of a visit."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumimd.policies.waiting import FIRST, LONGEST, MAX_RETRY_AFTER, put_aside

TRIES = st.integers(min_value=0, max_value=10**6)
ASKED = st.none() | st.floats(min_value=0, allow_nan=False)


@pytest.mark.parametrize(("tries", "minutes"), [(1, 1), (2, 2), (3, 4), (4, 8), (5, 10), (99, 10)])
def test_the_pauses_between_tries_double_up_to_ten_minutes(tries: int, minutes: int) -> None:
    assert put_aside(tries, None) == timedelta(minutes=minutes)


@given(TRIES, ASKED)
def test_a_pause_is_between_the_first_pause_and_a_day(tries: int, asked_s: float | None) -> None:
    assert FIRST <= put_aside(tries, asked_s) <= max(LONGEST, MAX_RETRY_AFTER)


@given(TRIES, st.floats(min_value=0, max_value=MAX_RETRY_AFTER.total_seconds()))
def test_a_pause_is_at_least_as_long_as_retry_after(tries: int, asked_s: float) -> None:
    assert put_aside(tries, asked_s) >= timedelta(seconds=asked_s)


@given(TRIES, ASKED)
def test_a_pause_never_overflows_datetime(tries: int, asked_s: float | None) -> None:
    assert datetime(2026, 3, 1, tzinfo=UTC) + put_aside(tries, asked_s)
