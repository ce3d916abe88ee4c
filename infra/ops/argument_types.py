"""Parses arguments for argparse: ids, counts, rates, prices, spans of time and reasons."""

import argparse
import re
from datetime import timedelta
from math import isfinite
from typing import Final

from lumimd.domain.ids import is_id

MOST: Final = 100_000
"""Higher than any useful limit of a list or a bulk retry; the store accepts limits of 31 bits."""

_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days"}


def visit(text: str) -> str:
    """Parse a visit id; the store would reject the path of an invalid id."""
    if not is_id(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no id of a visit: 1 to 128 letters, digits, - or _, and not __..__"
        )
    return text


def count(text: str) -> int:
    """Parse a whole number from 1 to MOST."""
    number = int(text)
    if not 1 <= number <= MOST:
        raise argparse.ArgumentTypeError(f"must be 1 to {MOST}")
    return number


def price(text: str) -> float:
    """Parse an amount of money in any currency, at least 0."""
    number = float(text)
    if not (isfinite(number) and number >= 0):
        raise argparse.ArgumentTypeError("must be a number that is not negative")
    return number


def pace(text: str) -> float:
    """Parse a rate per minute, which may be below 1."""
    number = float(text)
    if not 0 < number <= 6000:
        raise argparse.ArgumentTypeError("must be more than 0 and at most 6000")
    return number


def span(text: str) -> timedelta:
    """Parse a span of time such as `90m`, `24h` or `7d`."""
    found = re.fullmatch(r"(\d{1,4})([mhd])", text)
    if found is None or int(found[1]) == 0:
        raise argparse.ArgumentTypeError("expected for example 90m, 24h or 7d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def reason(text: str) -> str:
    """Parse a reason for the audit log, 3 to 500 characters."""
    stripped = text.strip()
    if not 3 <= len(stripped) <= 500:
        raise argparse.ArgumentTypeError("needs 3 to 500 characters")
    return stripped
