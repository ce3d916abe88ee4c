"""The gate before the next stage of a release: judges measured values by criteria."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from infra.release.measures import Measures
from lumimd.domain.visit import Stage

STAGES: Final = (10, 25, 50, 100)
"""The stages of a release, as percentages of the traffic that it gets."""

WATCH_FOR: Final = {
    10: timedelta(hours=1),
    25: timedelta(hours=2),
    50: timedelta(hours=4),
    100: timedelta(hours=48),
}
"""The shortest time to watch each stage; after the last stage the old code path is removed."""

LEAST_SUCCESS: Final = 0.95
MOST_DELAY_MS: Final = 60_000.0
LESS_DEPTH_THAN: Final = 50
LEAST_VISITS: Final = 20
"""With fewer visits a single failure could decide, so the gate stays closed."""


@dataclass(frozen=True)
class Criterion:
    """A condition of the gate. `measured` is text for people: `nothing` if there is no measure."""

    name: str
    wanted: str
    measured: str
    holds: bool


def judge(measures: Measures) -> Sequence[Criterion]:
    """Judge every criterion; a criterion without a measure does not hold."""
    success = measures.success
    return [
        Criterion(
            "measured of the canary's own revisions",
            "at least 1",
            str(len(measures.revisions)),
            bool(measures.revisions),
        ),
        Criterion(
            "visits that ended",
            f"at least {LEAST_VISITS}",
            str(measures.ended),
            measures.ended >= LEAST_VISITS,
        ),
        Criterion(
            "completed, of those that ended",
            f"at least {LEAST_SUCCESS:.0%}",
            "nothing" if success is None else f"{success:.2%}",
            success is not None and success >= LEAST_SUCCESS,
        ),
        *(_delay(measures, stage) for stage in Stage),
        _depth(measures.queue_depths),
    ]


def _delay(measures: Measures, stage: Stage) -> Criterion:
    times = measures.delays.get(stage)
    p95 = times.percentile(95) if times else None
    return Criterion(
        f"p95 of the delay of {stage}",
        f"under {MOST_DELAY_MS / 1000:.0f} s",
        "nothing" if p95 is None else f"{p95 / 1000:.1f} s",
        p95 is not None and p95 < MOST_DELAY_MS,
    )


def _depth(depths: Sequence[float]) -> Criterion:
    deepest = max(depths, default=None)
    return Criterion(
        "tasks in the queue",
        f"fewer than {LESS_DEPTH_THAN}",
        "nothing" if deepest is None else f"{deepest:.0f}",
        deepest is not None and deepest < LESS_DEPTH_THAN,
    )
