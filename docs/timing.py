"""Writes docs/timing.md from the durations in `policies/` and in `domain/timing.py`.

scripts/python docs/timing.py            prints the page
scripts/python docs/timing.py --write    writes it
"""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "functions" / "lumimd"
PAGE = ROOT / "docs" / "timing.md"
HEAD = """# Timing

Every duration of the pipeline, with its reason. `scripts/python docs/timing.py --write` makes this
page from the code; a test compares them.
"""


@dataclass(frozen=True)
class Duration:
    """One constant of a module."""

    name: str
    value: str
    reason: str


def modules() -> list[Path]:
    """The files that may define durations."""
    return [PACKAGE / "domain" / "timing.py", *sorted((PACKAGE / "policies").glob("*.py"))]


def page() -> str:
    """The whole page."""
    return HEAD + "".join(_section(path) for path in modules())


def _section(path: Path) -> str:
    rows = list(_durations(path))
    if not rows:
        return ""
    where = path.relative_to(ROOT).as_posix()
    lines = [f"\n## [{path.stem.replace('_', ' ')}](../{where})\n", "| name | value | reason |"]
    lines += ["|---|---|---|", *(f"| `{d.name}` | {d.value} | {d.reason} |" for d in rows)]
    return "\n".join(lines) + "\n"


def _durations(path: Path) -> Iterator[Duration]:
    tree = ast.parse(path.read_text("utf-8"))
    name = "lumimd." + ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
    module = import_module(name.removesuffix(".__init__"))
    for node, after in zip(tree.body, [*tree.body[1:], None], strict=True):
        match node:
            case ast.AnnAssign(target=ast.Name(id=constant)) if not constant.startswith("_"):
                value = _value(constant, getattr(module, constant))
                if value is not None:
                    yield Duration(constant, value, _reason(after))


def _value(name: str, value: Any) -> str | None:
    match value:
        case timedelta():
            return _words(value)
        case int() | float() if name.endswith("_S"):
            return f"{value:g} s"
        case _ if hasattr(value, "work"):
            return f"{_words(value.work)} of work"
        case _ if hasattr(value, "timeout_s"):
            calls = "call" if value.attempts == 1 else "calls"
            return f"{value.attempts} {calls} of {value.timeout_s:g} s"
        case _:
            return None


def _words(duration: timedelta) -> str:
    seconds = duration.total_seconds()
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s" if seconds < 3_600 else f"{seconds / 60:g} min"


def _reason(node: ast.stmt | None) -> str:
    match node:
        case ast.Expr(value=ast.Constant(value=str(text))):
            return " ".join(text.split()).replace("|", "\\|")
        case _:
            return ""


if __name__ == "__main__":
    if "--write" in sys.argv[1:]:
        PAGE.write_text(page(), "utf-8")
    else:
        print(page(), end="")
