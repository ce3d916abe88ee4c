"""docs/events.md lists exactly the events that the product logs."""

import ast
import re
from functools import cache
from pathlib import Path

from lumimd.coordination.breaker import shared
from lumimd.domain import events
from tests.flow.conftest import Functions
from tests.monitoring.day import Day
from tests.monitoring.lines import Lines

ROOT = Path(__file__).parents[2]
LOGGING = {"event", "failure", "_measure"}


@cache
def in_the_source() -> set[str]:
    """Return the names of domain events, and the constant names in logging calls of the source."""
    names = {each.name for each in _below(events.Event)}
    names |= {name for name, _ in shared._CHANGED.values()}
    for path in sorted((ROOT / "functions").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and _is_logging(node.func):
                names |= {
                    arg.value
                    for arg in node.args[:2]
                    if isinstance(arg, ast.Constant)
                    and isinstance(arg.value, str)
                    and arg.value not in ("info", "warning", "error", "critical")
                }
    return names


def _below(event: type[events.Event]) -> list[type[events.Event]]:
    return [found for each in event.__subclasses__() for found in (each, *_below(each))]


def _is_logging(function: ast.expr) -> bool:
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
        return function.value.id == "logs" and function.attr in LOGGING
    return isinstance(function, ast.Name) and function.id in LOGGING


def on_the_page() -> set[str]:
    rows = re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / "events.md").read_text(), re.MULTILINE)
    assert len(rows) == len(set(rows))
    return set(rows)


def test_the_events_page_lists_exactly_the_events_that_the_source_logs() -> None:
    assert in_the_source() - on_the_page() == set(), "please describe in docs/events.md"
    assert on_the_page() - in_the_source() == set(), "please remove from docs/events.md"


async def test_all_log_lines_of_a_visit_have_the_trace_id_of_its_upload(
    functions: Functions, lines: Lines
) -> None:
    day = Day.begun(functions)
    await day.uploads("visit-1")
    await day.uploads("visit-2")
    await day.job_ends("visit-1")
    await day.minutes_pass(2)
    trace = (await day.visit("visit-1")).trace
    followed = [line for line in lines.all() if line.get("trace") == trace]
    assert {line["visitId"] for line in followed} == {"visit-1"}
    recorded = [line["event"] for line in followed]
    print("\n" + "\n".join(dict.fromkeys(recorded)))
    assert recorded[0] == "audio_accepted"
    assert recorded[-1] == "visit_ended"
    assert {"transcription_submitted", "transcript_stored", "summary_stored"} < set(recorded)
    of_the_visit = [line for line in lines.all() if line.get("visitId") == "visit-1"]
    assert all("trace" in line for line in of_the_visit)
    assert set(recorded) <= on_the_page()
