"""Collects the failures of a run from the logs of its processes.

The failures contain only names, codes, classes, code locations and statuses, because a message
might quote a visit.
"""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Final

from lumimd.domain.plurals import times

MOST: Final = 8

SERIOUS: Final = ("CRITICAL", "ERROR", "WARNING")
SHOWN: Final = ("stage", "errorClass", "errorAt", "code", "dependency", "reason")

CALLED: Final = {
    "The upload event": re.compile(r"event \S+: (\S+), will be delivered again"),
    "A task": re.compile(r"task \S+ attempt \d+: (\S+),"),
    "The webhook": re.compile(r"webhook id=\S+ attempt=\d+ answer=(\S+)"),
    "The job {}": re.compile(r"job (?P<name>\S+): (?P<answer>\S+)$"),
}
"""The pattern of the log line for each kind of function call that a stand-in makes."""

TRACEBACK_END: Final = re.compile(r"([A-Za-z_][\w.]*(?:Error|Exception|Exit))(?::|$)")


def symptoms(run_dir: Path) -> list[str]:
    """Return one sentence for each kind of failure, the worst first, at most MOST sentences."""
    counted: Counter[tuple[int, str]] = Counter()
    for log in sorted(run_dir.glob("*.log")):
        for line in log.read_text(errors="replace").splitlines():
            symptom = _symptom(log.stem, line)
            if symptom is not None:
                counted[symptom] += 1
    worst = sorted(counted, key=lambda symptom: (symptom[0], -counted[symptom]))[:MOST]
    return [f"{symptom[1]}, {times(counted[symptom])}" for symptom in worst]


def _symptom(part: str, line: str) -> tuple[int, str] | None:
    """Return a failure's severity (0 is worst) and text; None for a line without a failure."""
    if line.startswith("{"):
        return _logged(part, line)
    if ended := TRACEBACK_END.match(line):
        return 1, f"{part} raised {ended[1].rpartition('.')[2]}"
    for call, pattern in CALLED.items():
        if found := pattern.search(line):
            *name, answer = found.groups()
            return None if answer.startswith("2") else (1, f"{call.format(*name)} got {answer}")
    return None


def _logged(part: str, line: str) -> tuple[int, str] | None:
    try:
        logged = json.loads(line)
    except ValueError:
        return None
    severity = logged.get("severity")
    if severity not in SERIOUS:
        return None
    details = ", ".join(str(logged[field]) for field in SHOWN if logged.get(field))
    text = f"{part} logged {logged.get('event')}" + (f" ({details})" if details else "")
    return SERIOUS.index(severity), text
