"""Formats the results of the gate and of the comparison as tables."""

from collections.abc import Sequence
from io import StringIO
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from infra.release.compare import Comparison, Recommendation
from infra.release.gate import Criterion

WIDTH: Final = 120

SENTENCES: Final = {
    Recommendation.GO_ON: "Go on: B may take the next stage.",
    Recommendation.WAIT: "Wait: nobody can say yet.",
    Recommendation.ROLL_BACK: "Roll back: scripts/release rollback --yes --project P --region R",
}


def of_gate(revisions: Sequence[str], criteria: Sequence[Criterion]) -> str:
    """Format the measured revisions, every criterion, and whether the gate is open."""
    judged = "".join(f"judged: {name}\n" for name in revisions)
    table = Table("", "criterion", "wanted", "measured", box=None)
    for each in criteria:
        table.add_row("ok" if each.holds else "NO", each.name, each.wanted, each.measured)
    is_open = all(each.holds for each in criteria)
    return judged + _drawn(table) + ("The gate is open." if is_open else "The gate is shut.")


def of_comparison(comparison: Comparison) -> str:
    """Format the figures of both releases, and the recommendation with its reasons."""
    table = Table("", "", "A", "B", box=None)
    for name, of_a, of_b in _rows(comparison.a, comparison.b):
        table.add_row(*name, of_a, of_b)
    reasons = "".join(f"\n- {reason}" for reason in comparison.reasons)
    return _drawn(table) + SENTENCES[comparison.recommendation] + reasons


def _rows(a: dict[str, Any], b: dict[str, Any]) -> list[tuple[tuple[str, str], str, str]]:
    rows = [(("visits that ended", ""), str(a["ended"]), str(b["ended"]))]
    rows.append((("completed", ""), _share(a["success"]), _share(b["success"])))
    for name in sorted((set(a) | set(b)) - {"ended", "success"}):
        of_a, of_b = a.get(name, {}), b.get(name, {})
        rows += [
            ((f"{name}, s", figure), _seconds(of_a.get(figure)), _seconds(of_b.get(figure)))
            for figure in ("min", "mean", "median", "p95", "p99", "max")
        ]
    return rows


def _share(success: float | None) -> str:
    return "-" if success is None else f"{success:.2%}"


def _seconds(ms: float | None) -> str:
    return "-" if ms is None else f"{ms / 1000:.1f}"


def _drawn(table: Table) -> str:
    drawn = StringIO()
    Console(file=drawn, width=WIDTH).print(table)
    return drawn.getvalue()
