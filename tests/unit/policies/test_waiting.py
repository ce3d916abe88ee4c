"""Pauses of a visit between tries."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumimd.policies.waiting import FIRST, LONGEST, MAX_RETRY_AFTER, put_aside

TRIES = st.integers(min_value=0, max_value=10**6)
ASKED = st.none() | st.floats(min_value=0, allow_nan=False)


@pytest.mark.parametrize(("tries", "minutes"), [(1, 1), (2, 2), (3, 4), (4, 8), (5, 10), (99, 10)])
def test_the_pauses_double_up_to_ten_minutes(tries: int, minutes: int) -> None:
    assert put_aside(tries, None) == timedelta(minutes=minutes)


@given(TRIES, ASKED)
def test_a_pause_is_never_shorter_than_the_first_nor_longer_than_a_day(
    tries: int, asked_s: float | None
) -> None:
    assert FIRST <= put_aside(tries, asked_s) <= max(LONGEST, MAX_RETRY_AFTER)


@given(TRIES, st.floats(min_value=0, max_value=MAX_RETRY_AFTER.total_seconds()))
def test_no_retry_is_earlier_than_retry_after(tries: int, asked_s: float) -> None:
    assert put_aside(tries, asked_s) >= timedelta(seconds=asked_s)


@given(TRIES, ASKED)
def test_the_end_of_a_pause_is_a_date(tries: int, asked_s: float | None) -> None:
    assert datetime(2026, 3, 1, tzinfo=UTC) + put_aside(tries, asked_s)
