"""Tolerant reader of single fields of the provider's JSON: a value of the right type, or None.

The SDK's own models refuse a whole transcript for one null; this reader loses only that field.
"""

import json
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any, Final

from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import Unreadable

LATEST_MS: Final = 48 * 3_600_000
"""The largest time that is stored; no recording is that long."""


def json_object(content: bytes) -> dict[str, Any]:
    """Parse the JSON object of a response.

    Raises:
        Unreadable: the response is not a JSON object.
    """
    try:
        found = json.loads(content.decode("utf-8", "replace"), strict=False)
    except (ValueError, RecursionError):
        # Raised without its cause, because the cause quotes the response.
        raise Unreadable(ErrorCode.TRANSCRIPTION_FAILED) from None
    if not isinstance(found, dict):
        raise Unreadable(ErrorCode.TRANSCRIPTION_FAILED)
    return found


def items(field: object) -> Sequence[Mapping[str, Any]]:
    """Return the objects in a list; none if the field is not a list."""
    return [item for item in field if isinstance(item, Mapping)] if isinstance(field, list) else []


def text_of(field: object) -> str:
    """Return a string that can be stored, without half surrogate pairs, which have no UTF-8."""
    if not isinstance(field, str):
        return ""
    try:
        field.encode()
    except UnicodeEncodeError:
        field = field.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return field.strip()


def label(field: object) -> str:
    """Return the name of a speaker, which may be a number."""
    return str(field) if type(field) is int and 0 <= field < 1000 else text_of(field)[:100]


def number(field: object) -> float | None:
    """Return a finite number, or None."""
    if isinstance(field, bool) or not isinstance(field, int | float):
        return None
    try:
        found = float(field)
    except OverflowError:
        return None
    return found if isfinite(found) else None


def milliseconds(field: object) -> int | None:
    """Return a time in a recording, or None."""
    found = number(field)
    return None if found is None else round(min(max(found, 0.0), float(LATEST_MS)))


def seconds(field: object) -> float | None:
    """Return the duration of a recording; None for an impossible duration."""
    found = number(field)
    return found if found is not None and 0 <= found <= LATEST_MS / 1000 else None


def share(field: object) -> float | None:
    """Return a confidence from 0 to 1, or None."""
    found = number(field)
    return None if found is None else min(max(found, 0.0), 1.0)
