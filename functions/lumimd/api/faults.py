"""Describe the validation faults of a request by field, without a value from a visit.

The response lists the names of unknown fields, so that a developer sees a misspelled name. A name
may also be text in the wrong place, so only names that look like a field name are listed, and at
most `MOST_FAULTS`.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from lumimd.api.problems import Fault

MOST_FAULTS: Final = 20
"""The most faults that a response lists; a request with more faults is broken as a whole."""

FIELD_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}")
"""A field name of one word: camelCase as in our names, or snake_case as in other languages."""


def faults_of(errors: Sequence[Mapping[str, Any]]) -> tuple[Fault, ...]:
    """Return the first of pydantic's `errors`, each once, without any value."""
    faults = dict.fromkeys(_fault(error["loc"], error["type"]) for error in errors)
    return tuple(faults)[:MOST_FAULTS]


def _fault(location: Sequence[str | int], rule: str) -> Fault:
    path = [str(part) for part in location]
    is_text = rule == "extra_forbidden" and not FIELD_NAME.fullmatch(path[-1])
    if is_text or rule == "json_invalid":  # the location of json_invalid ends in an offset
        path.pop()
    return Fault(where=".".join(path), rule=rule)
