"""Durations are defined only in the policies, and docs/timing.md shows them."""

import ast
from pathlib import Path

from docs.timing import PACKAGE, PAGE, modules, page

ELSEWHERE = {"adapters/measuring", "domain/progress.py"}
"""Exceptions: the duration of a recording and limits of reading it; estimates for clients."""


def is_duration(node: ast.stmt) -> bool:
    match node:
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
            made = any(isinstance(n, ast.Name) and n.id == "timedelta" for n in ast.walk(value))
            number = isinstance(value, ast.Constant) and isinstance(value.value, int | float)
            return made or (number and name.endswith("_S"))
        case _:
            return False


def outside() -> list[Path]:
    found = (path for path in PACKAGE.rglob("*.py") if path not in modules())
    return [
        path
        for path in found
        if not any(path.is_relative_to(PACKAGE / folder) for folder in ELSEWHERE)
    ]


def test_durations_are_defined_only_in_the_policies() -> None:
    for path in outside():
        wrong = [
            ast.unparse(node) for node in ast.parse(path.read_text()).body if is_duration(node)
        ]
        assert not wrong, f"{path.relative_to(PACKAGE)}: {wrong}"


def test_the_timing_page_shows_the_defined_durations() -> None:
    assert PAGE.read_text("utf-8") == page(), "scripts/python docs/timing.py --write"


def test_every_duration_on_the_timing_page_has_a_reason() -> None:
    rows = [line for line in page().splitlines() if line.startswith("| `")]
    assert len(rows) > 60
    assert not [row for row in rows if row.endswith("|  |")]
