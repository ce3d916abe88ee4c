"""How long a visit is put aside between the tries of a stage."""

from datetime import timedelta
from typing import Final

MAX_TRIES: Final = 3
"""Tries of a stage before the visit fails (S1: three)."""

FIRST: Final = timedelta(seconds=60)
"""Long enough for the provider's list to show an order whose answer was lost."""

LONGEST: Final = timedelta(minutes=10)

MOST_PATIENT: Final = timedelta(days=1)
"""Whoever asks for more is asked again before: nobody waits a week for a summary."""


def put_aside(tries: int, retry_after_s: float | None) -> timedelta:
    """How long to wait after try number `tries` (from 1); not less than was asked, up to a day."""
    doubled: timedelta = FIRST * 2 ** max(0, min(tries, 10) - 1)
    asked = timedelta(seconds=min(retry_after_s or 0, MOST_PATIENT.total_seconds()))
    return max(min(doubled, LONGEST), asked)
