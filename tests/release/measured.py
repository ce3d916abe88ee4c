"""Build the measures of an invented release."""

from collections.abc import Sequence
from typing import Any

from infra.release.measures import Measures
from lumimd.domain.visit import Stage

QUICK = [1_000.0] * 95 + [5_000.0] * 5


def measures(
    completed: int = 98,
    failed: int = 2,
    delays: Sequence[float] = QUICK,
    depths: Sequence[float] = (0, 12, 3),
    **others: Any,
) -> Measures:
    values = {
        "outcomes": {"completed": completed, "failed": failed, "cancelled": 3, "up_to_owner": 9},
        "stage_delays_ms": {stage.value: list(delays) for stage in Stage},
        "visit_durations_ms": [each * 10 for each in delays],
        "queue_depths": list(depths),
        "revisions": ["api-00003-new"],
    }
    return Measures(**{**values, **others})
