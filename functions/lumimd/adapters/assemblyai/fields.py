"""Tolerant reader of single fields of the provider's JSON: a value of the type, or None.

The SDK's own models refuse a whole transcript for one null; this reader loses one field.
"""

import json
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any, Final

from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import Unreadable

LATEST_MS: Final = 48 * 3_600_000
"""Later than the end of any recording; a larger number is not stored."""


def json_object(content: bytes) -> dict[str, Any]:
    """The JSON object of an answer.

    Raises:
        Unreadable: the answer is no JSON object.
    """
    try:
        found = json.loads(content.decode("utf-8", "replace"), strict=False)
    except (ValueError, RecursionError):
        # Without its cause, because the cause quotes the answer.
        raise Unreadable(ErrorCode.TRANSCRIPTION_FAILED) from None
    if not isinstance(found, dict):
        raise Unreadable(ErrorCode.TRANSCRIPTION_FAILED)
    return found


def items(field: object) -> Sequence[Mapping[str, Any]]:
    """The objects in a list; none if the field is no list."""
    return [item for item in field if isinstance(item, Mapping)] if isinstance(field, list) else []


def text_of(field: object) -> str:
    """A storable string: half a surrogate pair has no UTF-8."""
    if not isinstance(field, str):
        return ""
    try:
        field.encode()
    except UnicodeEncodeError:
        field = field.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return field.strip()


def label(field: object) -> str:
    """The name of a speaker, which may be a number."""
    return str(field) if type(field) is int and 0 <= field < 1000 else text_of(field)[:100]


def number(field: object) -> float | None:
    """A finite number."""
    if isinstance(field, bool) or not isinstance(field, int | float):
        return None
    try:
        found = float(field)
    except OverflowError:
        return None
    return found if isfinite(found) else None


def milliseconds(field: object) -> int | None:
    """A time in a recording."""
    found = number(field)
    return None if found is None else round(min(max(found, 0.0), float(LATEST_MS)))


def seconds(field: object) -> float | None:
    """The length of a recording; None for an impossible length."""
    found = number(field)
    return found if found is not None and 0 <= found <= LATEST_MS / 1000 else None


def share(field: object) -> float | None:
    """A confidence, from 0 to 1."""
    found = number(field)
    return None if found is None else min(max(found, 0.0), 1.0)
