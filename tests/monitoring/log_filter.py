"""Evaluates a log filter on a log entry, for the part of the query language that metrics use.

    resource.type="x" AND jsonPayload.event=("a" OR "b") AND jsonPayload.n>=5 AND severity>=ERROR

Any other syntax is an error, so that a metric uses only syntax that the tests evaluate.
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
    """The filter uses syntax that this module does not support."""


def entry_of(line: Mapping[str, Any], service: str = "summarize-visit") -> Entry:
    """Return the log entry that Cloud Run makes of a function's line on standard output."""
    payload = dict(line)
    severity = payload.pop("severity", "DEFAULT")
    return {
        "severity": severity,
        "jsonPayload": payload,
        "resource": {"type": "cloud_run_revision", "labels": {"service_name": service}},
    }


def matches(query: str, entry: Entry) -> bool:
    """Whether the log entry matches the filter `query`."""
    return all(_holds(term, entry) for term in _terms(query))


def field(path: str, entry: Entry) -> Any:
    """Return the value at a dotted path of the entry, or None."""
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
        return False  # a comparison with a missing field never holds, not even `!=`
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
