"""Compares the measures of two releases, or of two arms of a rollout, A and B."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import sqrt
from typing import Any, Final

from infra.release.gate import LEAST_SUCCESS, LEAST_VISITS, MOST_DELAY_MS
from infra.release.measures import Measures, Times

SLOWER_BY: Final = 1.2
"""A p95 counts as worse if it is a fifth longer; smaller differences occur by chance."""

FIGURES: Final = {"min": 0.0, "median": 50.0, "p95": 95.0, "p99": 99.0, "max": 100.0}


class Recommendation(StrEnum):
    """The recommendation for release B, which replaces release A."""

    GO_ON = "go_on"
    WAIT = "wait"
    ROLL_BACK = "roll_back"


@dataclass(frozen=True)
class Comparison:
    """The figures of both releases, the recommendation, and the reasons for it."""

    a: dict[str, Any]
    b: dict[str, Any]
    recommendation: Recommendation
    reasons: Sequence[str]


def compare(a: Measures, b: Measures) -> Comparison:
    """Compare the measures of B with those of A."""
    if min(a.ended, b.ended) < LEAST_VISITS:
        few = f"fewer than {LEAST_VISITS} visits of one of them ended"
        return Comparison(figures(a), figures(b), Recommendation.WAIT, [few])
    reasons = [*_success(a, b), *_times("a visit", a.durations, b.durations)]
    for stage, times in b.delays.items():
        reasons += _times(stage, a.delays.get(stage, Times(())), times, MOST_DELAY_MS)
    unmeasured = _unmeasured(a, b)
    if reasons:
        recommended = Recommendation.ROLL_BACK
    else:
        recommended = Recommendation.WAIT if unmeasured else Recommendation.GO_ON
    explained = reasons or unmeasured or ["B is no worse than A"]
    return Comparison(figures(a), figures(b), recommended, explained)


def _unmeasured(a: Measures, b: Measures) -> list[str]:
    """Return a reason for each duration that was measured for A but is unknown for B."""
    of_a, of_b = ({"a visit": each.durations, **each.delays} for each in (a, b))
    return [
        f"p95 of {name} was measured of A, and not of B"
        for name, times in of_a.items()
        if times.count and not of_b.get(name, Times(())).count
    ]


def figures(measures: Measures) -> dict[str, Any]:
    """Return the success rate, and statistics of every duration in milliseconds.

    The statistics are min, mean, median, p95, p99 and max.
    """
    of_times = {"visit": measures.durations, **measures.delays}
    return {
        "ended": measures.ended,
        "success": measures.success,
        **{name: _figures(times) for name, times in of_times.items()},
    }


def _figures(times: Times) -> dict[str, float | int | None]:
    percentiles = {name: times.percentile(percent) for name, percent in FIGURES.items()}
    return {"count": times.count, "mean": times.mean, **percentiles}


def _success(a: Measures, b: Measures) -> list[str]:
    assert a.success is not None
    assert b.success is not None
    if b.success < LEAST_SUCCESS:
        return [f"B completes {b.success:.1%}, less than {LEAST_SUCCESS:.0%}"]
    both = (a.success * a.ended + b.success * b.ended) / (a.ended + b.ended)
    by_chance = sqrt(both * (1 - both) * (1 / a.ended + 1 / b.ended))
    if a.success - b.success > 2 * by_chance:
        return [f"B completes {b.success:.1%}, A {a.success:.1%}: more than chance explains"]
    return []


def _times(name: str, a: Times, b: Times, limit: float | None = None) -> list[str]:
    before, after = a.percentile(95), b.percentile(95)
    if after is None:
        return []
    if limit is not None and after >= limit:
        return [f"p95 of {name}: {after / 1000:.1f} s, over {limit / 1000:.0f} s"]
    # A p95 that is up to 1 s longer gives no reason, because short durations vary.
    if before is not None and after > before * SLOWER_BY and after - before > 1_000:
        return [f"p95 of {name}: {after / 1000:.1f} s instead of {before / 1000:.1f} s"]
    return []
