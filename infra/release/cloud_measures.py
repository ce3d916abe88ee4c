"""Reads the measures of a release from the metrics (`infra/monitoring`) in Cloud Monitoring."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from google.cloud import monitoring_v3

from infra.release.measures import Measures

USER_METRIC: Final = "logging.googleapis.com/user/lumimd/"
OUTCOMES: Final = "visits_ended"
DELAYS: Final = "stage_delay"
DURATIONS: Final = "visit_duration"
OUTCOME: Final = "outcome"
STAGE: Final = "stage"
QUEUE_DEPTH: Final = "cloudtasks.googleapis.com/queue/depth"

TIMEOUT_S: Final = 30.0


class CloudMeasures:
    """Reads the measures of the given revisions (at least one) of a project's functions."""

    def __init__(
        self, client: monitoring_v3.MetricServiceClient, project: str, revisions: Sequence[str]
    ) -> None:
        if not revisions:
            raise ValueError("the total of all revisions says nothing about one of them")
        self._client = client
        self._project = project
        self._revisions = revisions

    def between(self, after: datetime, before: datetime) -> Measures:
        """Read the measures of the span of time from `after` to `before`.

        Raises:
            google.api_core.exceptions.GoogleAPICallError: Cloud Monitoring refuses or is down.
        """
        outcomes: Counter[str] = Counter()
        for series in self._of_visits(OUTCOMES, after, before):
            counted = sum(point.value.int64_value for point in series.points)
            outcomes[series.metric.labels[OUTCOME]] += counted
        delays: dict[str, Counter[float]] = {}
        for series in self._of_visits(DELAYS, after, before):
            histogram = delays.setdefault(series.metric.labels[STAGE], Counter())
            histogram.update(_histogram(series))
        durations: Counter[float] = Counter()
        for series in self._of_visits(DURATIONS, after, before):
            durations.update(_histogram(series))
        depths = [
            float(point.value.int64_value)
            for series in self._series(f'metric.type="{QUEUE_DEPTH}"', after, before)
            for point in series.points
        ]
        return Measures(
            outcomes=dict(outcomes),
            stage_delays_ms={stage: sorted(each.items()) for stage, each in delays.items()},
            visit_durations_ms=sorted(durations.items()),
            queue_depths=depths,
            revisions=list(self._revisions),
        )

    def _of_visits(
        self, metric: str, after: datetime, before: datetime
    ) -> Iterable[monitoring_v3.TimeSeries]:
        names = ",".join(f'"{name}"' for name in self._revisions)
        query = (
            f'metric.type="{USER_METRIC}{metric}" AND resource.type="cloud_run_revision"'
            f" AND resource.label.revision_name=one_of({names})"
        )
        return self._series(query, after, before)

    def _series(
        self, query: str, after: datetime, before: datetime
    ) -> Iterable[monitoring_v3.TimeSeries]:
        request = {
            "name": f"projects/{self._project}",
            "filter": query,
            "interval": {"start_time": after, "end_time": before},
            "view": monitoring_v3.ListTimeSeriesRequest.TimeSeriesView.FULL,
        }
        return self._client.list_time_series(request=request, retry=None, timeout=TIMEOUT_S)


def _histogram(series: Any) -> Counter[float]:
    """Count the values by upper bound; values above the last bound count as twice that bound."""
    counted: Counter[float] = Counter()
    for point in series.points:
        found = point.value.distribution_value
        bounds = list(found.bucket_options.explicit_buckets.bounds)
        upper = [*bounds, 2 * bounds[-1]] if bounds else []
        for bound, count in zip(upper, found.bucket_counts, strict=False):
            if count:
                counted[bound] += count
    return counted
