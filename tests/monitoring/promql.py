"""Evaluates the only form of PromQL in the alert policies: a distribution's sum over a period.

Source of the metric names: https://cloud.google.com/monitoring/promql/promql-mapping
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tests.monitoring.log_metric import USER_METRIC
from tests.monitoring.series import Point

_SUM: Final = re.compile(
    r"sum\(increase\(logging_googleapis_com:user_(\w+?)_(\w+)_sum"
    r'\{monitored_resource="cloud_run_revision"\}\[(\d+)h\]\)\) > (\d+)'
)


@dataclass(frozen=True)
class PromQL:
    """A query that fires if the values of `metric_type` in `period_s` add up to over `limit`."""

    metric_type: str
    period_s: float
    limit: float

    @classmethod
    def parsed(cls, query: str) -> "PromQL":
        """Return the parsed query; raise ValueError for a query of another form."""
        found = _SUM.fullmatch(query)
        if found is None:
            raise ValueError(query)
        metric_type = f"{USER_METRIC}{found[1]}/{found[2]}"
        return cls(metric_type, int(found[3]) * 3600.0, float(found[4]))

    def holds(self, points: Sequence[Point], now: float) -> bool:
        """Whether the query fires at `now`."""
        return sum(p.value for p in points if now - self.period_s < p.at <= now) > self.limit
