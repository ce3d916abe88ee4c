"""Test the pause that Retry-After (seconds or a date) and Retry-After-Ms ask for."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumimd.policies.retry import seconds_asked
from lumimd.policies.waiting import MAX_RETRY_AFTER

NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
DAY = MAX_RETRY_AFTER.total_seconds()


def http_date(at: datetime) -> str:
    return format_datetime(at, usegmt=True)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": " 7.5 "}, 7.5),
        ({"Retry-After": "0"}, 0.0),
        ({"Retry-After": "-7"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "9" * 400}, DAY),
        ({"Retry-After": "604800"}, DAY),
        ({"Retry-After-Ms": "1500"}, 1.5),
        ({"Retry-After-Ms": "1500", "Retry-After": "2"}, 1.5),
        ({"Retry-After-Ms": "soon", "Retry-After": "2"}, 2.0),
        ({"Retry-After": http_date(NOW + timedelta(minutes=2))}, 120.0),
        ({"Retry-After": http_date(NOW - timedelta(minutes=2))}, 0.0),
        ({"Retry-After": http_date(NOW + timedelta(days=9))}, DAY),
        ({"Retry-After": "Sunday, 01-Mar-26 09:02:00 GMT"}, 120.0),
        ({"Retry-After": "Sun Mar  1 09:02:00 2026"}, 120.0),
        ({"Retry-After": "Sun, 99 Mar 2026 09:02:00 GMT"}, None),
        ({"Retry-After": "Sun, 01 Mar 99999 09:02:00 GMT"}, None),
    ],
)
def test_the_pause_is_read_from_retry_after_headers(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert seconds_asked(httpx.Headers(headers), NOW) == seconds


def test_a_retry_after_date_is_compared_with_the_date_of_the_response() -> None:
    headers = httpx.Headers(
        {"Date": http_date(NOW), "Retry-After": http_date(NOW + timedelta(seconds=90))}
    )
    assert seconds_asked(headers, NOW + timedelta(hours=5)) == 90.0
    assert seconds_asked(headers) == 90.0


@given(st.text(st.characters(codec="latin-1")), st.text(st.characters(codec="latin-1")))
def test_any_retry_after_header_gives_a_pause_of_at_most_a_day_or_none(
    asked: str, date: str
) -> None:
    headers = {"retry-after": asked, "date": date, "retry-after-ms": asked}
    found = seconds_asked(headers, NOW)
    assert found is None or 0.0 <= found <= DAY
