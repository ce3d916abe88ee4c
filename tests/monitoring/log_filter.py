"""The part of the Logging query language that our metrics use, evaluated on one log entry.

    resource.type="x" AND jsonPayload.event=("a" OR "b") AND jsonPayload.n>=5 AND severity>=ERROR

Anything else is an error here, so that a filter cannot be more than what is tested.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

Entry = Mapping[str, Any]

_TERM: Final = re.compile(
    r"""(?P<path>[A-Za-z]+(?:\.[A-Za-z_]+)*)
        (?P<op>!=|>=|<=|=|>|<)
        (?P<value>"[^"]*"|\d+|[A-Z]+|\((?:"[^"]*"(?:\ OR\ )?)+\))$""",
    re.VERBOSE,
)
_SEVERITIES: Final = ("DEFAULT", "DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", "CRITICAL")
_COMPARE: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    ">=": lambda a, b: a >= b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    "<": lambda a, b: a < b,
}


class UnknownFilter(Exception):
    """The filter uses more of the language than is evaluated here."""


def entry_of(line: Mapping[str, Any], service: str = "summarize-visit") -> Entry:
    """What Cloud Run makes of a line on standard output: the severity is lifted out of it."""
    payload = dict(line)
    severity = payload.pop("severity", "DEFAULT")
    return {
        "severity": severity,
        "jsonPayload": payload,
        "resource": {"type": "cloud_run_revision", "labels": {"service_name": service}},
    }


def matches(query: str, entry: Entry) -> bool:
    """Whether the entry is one that `query` asks for."""
    return all(_holds(term, entry) for term in _terms(query))


def field(path: str, entry: Entry) -> Any:
    """The value at a dotted path, or None."""
    value: Any = entry
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _terms(query: str) -> list[re.Match[str]]:
    terms = [_TERM.match(term.strip()) for term in query.split(" AND ")]
    if not all(terms):
        raise UnknownFilter(query)
    return [term for term in terms if term]


def _holds(term: re.Match[str], entry: Entry) -> bool:
    found, op, wanted = field(term["path"], entry), term["op"], term["value"]
    if found is None:
        return False  # a comparison with a missing field never holds, `!=` neither
    if term["path"] == "severity":
        found, wanted = _SEVERITIES.index(found), str(_SEVERITIES.index(wanted))
    options = re.findall(r'"([^"]*)"', wanted) or [wanted]
    match op:
        case "=":
            return str(found) in options
        case "!=":
            return str(found) not in options
        case _:
            return isinstance(found, int | float) and _COMPARE[op](found, float(wanted))
