"""Aligns and reduces time series as Cloud Monitoring does, as far as the alerts need it.

A point is one observation: one matching log line, or one sample of a gauge. A distribution is
evaluated by the buckets of its metric, as Google does: a percentile is interpolated within its
bucket.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Point:
    """One observation, `at` in seconds; the labels are named as in a filter or a grouping."""

    at: float
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


class UnknownAggregation(Exception):
    """This module does not support the aligner or the reducer."""


Groups = dict[tuple[str, ...], float]


def aggregated(
    points: Sequence[Point],
    *,
    until: float,
    period: float,
    aligner: str,
    reducer: str,
    group_by: Sequence[str],
    bounds: Sequence[float],
) -> Groups:
    """Return the value of each group at `until`, from the points of the `period` before `until`.

    A group without points has no value.
    """
    window: dict[tuple[str, ...], list[Point]] = defaultdict(list)
    for point in points:
        if until - period < point.at <= until:
            window[tuple(point.labels.get(path, "") for path in group_by)].append(point)
    return {
        group: _value([point.value for point in found], aligner, reducer, bounds)
        for group, found in window.items()
    }


def _value(values: list[float], aligner: str, reducer: str, bounds: Sequence[float]) -> float:
    match aligner, reducer:
        case "ALIGN_DELTA", "REDUCE_SUM" if not bounds:
            return sum(values)
        case "ALIGN_DELTA", "REDUCE_MEAN" if bounds:
            return sum(values) / len(values)
        case "ALIGN_DELTA", "REDUCE_PERCENTILE_95" if bounds:
            return percentile(values, 0.95, bounds)
        case "ALIGN_DELTA", "REDUCE_PERCENTILE_99" if bounds:
            return percentile(values, 0.99, bounds)
        case "ALIGN_MAX", "REDUCE_MAX":
            return max(values)
        case "ALIGN_FRACTION_TRUE", "REDUCE_MEAN":
            return sum(values) / len(values)
        case _:
            raise UnknownAggregation(f"{aligner}, {reducer}, distribution: {bool(bounds)}")


def percentile(values: Sequence[float], share: float, bounds: Sequence[float]) -> float:
    """Return the percentile, interpolated within its bucket, as Google computes it."""
    counts = [0] * (len(bounds) + 1)
    for value in values:
        counts[bisect_right(bounds, value)] += 1
    rank, below = share * len(values), 0
    for bucket, count in enumerate(counts):
        if count and below + count >= rank:
            low = bounds[bucket - 1] if bucket else 0.0
            high = bounds[bucket] if bucket < len(bounds) else bounds[-1]
            return low + (high - low) * (rank - below) / count
        below += count
    raise AssertionError("no values")
