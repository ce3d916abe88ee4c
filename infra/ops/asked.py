"""Arguments as they are meant: counts, paces, spans of time."""

import argparse
import re
from datetime import timedelta
from typing import Final

_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days"}


def count(text: str) -> int:
    """A whole number from 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def pace(text: str) -> float:
    """So many a minute; also less than one."""
    number = float(text)
    if not 0 < number <= 6000:
        raise argparse.ArgumentTypeError("must be more than 0 and at most 6000")
    return number


def span(text: str) -> timedelta:
    """`90m`, `24h` or `7d`."""
    found = re.fullmatch(r"(\d{1,4})([mhd])", text)
    if found is None or int(found[1]) == 0:
        raise argparse.ArgumentTypeError("expected for example 90m, 24h or 7d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def reason(text: str) -> str:
    """A sentence that somebody will understand next year."""
    stripped = text.strip()
    if not 3 <= len(stripped) <= 500:
        raise argparse.ArgumentTypeError("needs 3 to 500 characters")
    return stripped
