"""Parses alert policies as messages of Google, and evaluates them minute by minute.

The evaluation supports the features that the policies of the product use: thresholds on aligned
and reduced series, ratios, `duration`, missing data, and the combiners OR and AND.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

from google.cloud import monitoring_v3
from google.protobuf import json_format

from tests.monitoring.log_metric import ours
from tests.monitoring.promql import PromQL
from tests.monitoring.series import Groups, Point, aggregated

FOLDER = Path(__file__).parents[2] / "infra" / "monitoring" / "alerts"

GOOGLES: Final[Mapping[str, Sequence[float]]] = {
    # Bucket bounds by metric type, from https://cloud.google.com/monitoring/api/metrics_gcp
    "cloudtasks.googleapis.com/queue/depth": (),
    "cloudtasks.googleapis.com/queue/task_attempt_count": (),
    "cloudtasks.googleapis.com/queue/task_attempt_delays": (1e3, 1e4, 6e4, 3e5, 6e5, 3.6e6),
    "firestore.googleapis.com/document/read_count": (),
    "firestore.googleapis.com/document/write_count": (),
    "run.googleapis.com/container/billable_instance_time": (),
    "run.googleapis.com/request_count": (),
    "run.googleapis.com/request_latencies": (50.0, 100.0, 500.0, 1e3, 5e3, 1e4, 6e4),
    "monitoring.googleapis.com/uptime_check/check_passed": (),
}
"""The metrics of Google that alerts and dashboards read, with the bounds of a distribution."""

Series = Mapping[str, Sequence[Point]]
"""The points of each metric, by its type."""

_TERM: Final = re.compile(r'([\w.]+) ?= ?(?:"([^"]*)"|one_of\(((?:"[^"]*",? ?)+)\))$')


@cache
def policies() -> dict[str, Any]:
    """Return the alert policies of the product, by the name of their file."""
    return {
        path.stem: monitoring_v3.AlertPolicy.wrap(parsed(path.read_text()))
        for path in sorted(FOLDER.glob("*.json"))
    }


def parsed(text: str) -> Any:
    """Return the policy; raise ParseError for a field or value that the message does not have."""
    message = monitoring_v3.AlertPolicy.pb(monitoring_v3.AlertPolicy())
    return json_format.ParseDict(json.loads(text), message, ignore_unknown_fields=False)


def terms(query: str) -> dict[str, frozenset[str]]:
    """Return the values that a filter allows, by path; raise ValueError for unsupported terms."""
    allowed = {}
    for term in query.split(" AND "):
        found = _TERM.match(term)
        if found is None:
            raise ValueError(query)
        options = re.findall(r'"([^"]*)"', found[3]) if found[3] else [found[2]]
        allowed[found[1]] = frozenset(options)
    return allowed


def bounds_of(metric_type: str) -> Sequence[float]:
    """Return a distribution's bucket bounds, empty for a number; raise KeyError if unknown."""
    if metric_type in GOOGLES:
        return GOOGLES[metric_type]
    return tuple(ours()[metric_type].bucket_options.explicit_buckets.bounds)


def metric_types(condition: Any) -> frozenset[str]:
    """Return the types of the metrics that a condition reads."""
    if "condition_prometheus_query_language" in condition:
        return frozenset(
            {PromQL.parsed(condition.condition_prometheus_query_language.query).metric_type}
        )
    rule = condition.condition_threshold
    queries = filter(None, (rule.filter, rule.denominator_filter))
    return frozenset(name for query in queries for name in terms(query)["metric.type"])


@dataclass
class Incident:
    """An incident, with times in seconds; `closed_at` is None while the incident is open."""

    opened_at: float
    closed_at: float | None = None


@dataclass
class _Condition:
    """A condition, and the time since which each group violates it."""

    proto: Any
    since: dict[tuple[str, ...], float] = field(default_factory=dict)

    def met_by(self, series: Series, now: float) -> set[tuple[str, ...]]:
        if "condition_prometheus_query_language" in self.proto:
            query = PromQL.parsed(self.proto.condition_prometheus_query_language.query)
            return {()} if query.holds(series.get(query.metric_type, ()), now) else set()
        assert "condition_threshold" in self.proto  # the only other supported kind of condition
        rule = self.proto.condition_threshold
        violated = _violated(rule, series, now)
        self.since = {group: self.since.get(group, now) for group in violated}
        wait_s = rule.duration.total_seconds()
        return {group for group, since in self.since.items() if now - since >= wait_s}


def incidents(policy: Any, series: Series, until: float) -> list[Incident]:
    """Evaluate the policy once a minute from 0 to `until`; return the incidents that it opens."""
    conditions = [_Condition(condition) for condition in policy.conditions]
    opened: list[Incident] = []
    running: dict[tuple[int, tuple[str, ...]], Incident] = {}
    together = policy.combiner == monitoring_v3.AlertPolicy.ConditionCombinerType.AND
    for now in range(0, int(until) + 1, 60):
        met = [condition.met_by(series, now) for condition in conditions]
        if together:
            active = {(0, ())} if all(met) else set()
        else:
            active = {(number, group) for number, groups in enumerate(met) for group in groups}
        for key in active - running.keys():
            running[key] = Incident(now)
            opened.append(running[key])
        for key in running.keys() - active:
            running.pop(key).closed_at = now
    return opened


def _violated(rule: Any, series: Series, now: float) -> set[tuple[str, ...]]:
    values = _values(rule.filter, rule.aggregations, series, now)
    if rule.denominator_filter:
        whole = _values(rule.denominator_filter, rule.denominator_aggregations, series, now)
        values = {group: value / whole[group] for group, value in values.items()}
    if not values:
        missing = monitoring_v3.AlertPolicy.Condition.EvaluationMissingData
        is_violated = rule.evaluation_missing_data == missing.EVALUATION_MISSING_DATA_ACTIVE
        return {()} if is_violated else set()
    is_less = rule.comparison == monitoring_v3.ComparisonType.COMPARISON_LT
    limit = rule.threshold_value
    return {group for group, v in values.items() if (v < limit if is_less else v > limit)}


def _values(query: str, aggregations: Sequence[Any], series: Series, now: float) -> Groups:
    (how,) = aggregations
    return aggregated(
        _selected(query, series),
        until=now,
        period=how.alignment_period.total_seconds(),
        aligner=how.per_series_aligner.name,
        reducer=how.cross_series_reducer.name,
        group_by=how.group_by_fields,
        bounds=bounds_of(*terms(query)["metric.type"]),
    )


def _selected(query: str, series: Series) -> list[Point]:
    wanted = terms(query)
    (metric_type,) = wanted.pop("metric.type")
    wanted.pop("resource.type")
    return [
        point
        for point in series.get(metric_type, ())
        if all(point.labels.get(path) in values for path, values in wanted.items())
    ]
