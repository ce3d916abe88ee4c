"""The part of the Logging query language that our metrics use, evaluated on one log entry.

    resource.type="x" AND jsonPayload.event=("a" OR "b") AND jsonPayload.n>=5 AND severity>=ERROR

Any other syntax is an error, so that a filter cannot exceed the tested subset.
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
    """The filter is outside of the supported subset of the language."""


def entry_of(line: Mapping[str, Any], service: str = "summarize-visit") -> Entry:
    """The log entry that Cloud Run makes of a line on standard output, with its severity."""
    payload = dict(line)
    severity = payload.pop("severity", "DEFAULT")
    return {
        "severity": severity,
        "jsonPayload": payload,
        "resource": {"type": "cloud_run_revision", "labels": {"service_name": service}},
    }


def matches(query: str, entry: Entry) -> bool:
    """Whether the entry matches `query`."""
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
