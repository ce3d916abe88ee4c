"""The real client reads the measures of a release from a simulated Cloud Monitoring."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from google.api_core.exceptions import PermissionDenied
from google.cloud import monitoring_v3

from infra.release import cloud_measures
from infra.release.cloud_measures import CloudMeasures
from lumimd.domain.visit import Stage
from tests.release.monitoring import Monitoring, client_of, histogram, user
from tests.support.services import START

METRICS = Path(__file__).parents[2] / "infra" / "monitoring" / "metrics"
AFTER, BEFORE = START, START + timedelta(hours=1)


@pytest.fixture
def monitoring() -> Monitoring:
    return Monitoring()


@pytest.fixture
def client(monitoring: Monitoring) -> Iterator[monitoring_v3.MetricServiceClient]:
    with client_of(monitoring) as client:
        yield client


def test_measures_add_up_the_series_of_all_instances(
    monitoring: Monitoring, client: monitoring_v3.MetricServiceClient
) -> None:
    ended = user("visits_ended")
    monitoring.add(ended, {"outcome": "completed"}, {"int64_value": 40}, {"int64_value": 2})
    monitoring.add(ended, {"outcome": "completed"}, {"int64_value": 6})
    monitoring.add(ended, {"outcome": "failed"}, {"int64_value": 1})
    delays = histogram([100, 1_000], [3, 2, 1])
    monitoring.add(user("stage_delay"), {"stage": "summary"}, delays, delays)
    monitoring.add(user("visit_duration"), {}, histogram([60_000], [0, 4]))
    depths = [{"int64_value": 3}, {"int64_value": 44}]
    monitoring.add("cloudtasks.googleapis.com/queue/depth", {}, *depths)

    found = CloudMeasures(client, "demo", ["api-00003-new"]).between(AFTER, BEFORE)
    assert found.revisions == ["api-00003-new"]
    assert found.outcomes == {"completed": 48, "failed": 1}
    assert found.stage_delays_ms == {"summary": [(100, 6), (1_000, 4), (2_000, 2)]}
    assert found.visit_durations_ms == [(120_000, 4)]
    assert found.queue_depths == [3, 44]


def test_requests_to_cloud_monitoring_name_the_interval_and_the_revisions(
    monitoring: Monitoring, client: monitoring_v3.MetricServiceClient
) -> None:
    CloudMeasures(client, "demo", ["api-00003-new", "b"]).between(AFTER, BEFORE)
    for request in monitoring.requests:
        assert request.name == "projects/demo"
        assert (request.interval.start_time, request.interval.end_time) == (AFTER, BEFORE)
    of_visits = [each.filter for each in monitoring.requests if "lumimd/" in each.filter]
    assert len(of_visits) == 3
    one_of = 'resource.label.revision_name=one_of("api-00003-new","b")'
    assert all(each.endswith(one_of) for each in of_visits)


def test_measuring_without_revisions_is_refused(
    client: monitoring_v3.MetricServiceClient,
) -> None:
    with pytest.raises(ValueError, match="total"):
        CloudMeasures(client, "demo", [])


def test_a_refusal_of_cloud_monitoring_is_raised(
    monitoring: Monitoring, client: monitoring_v3.MetricServiceClient
) -> None:
    monitoring.refuses = True
    with pytest.raises(PermissionDenied):
        CloudMeasures(client, "demo", ["api-00003-new"]).between(AFTER, BEFORE)


def test_the_queried_metrics_and_labels_match_the_metric_definitions() -> None:
    def defined(metric: str) -> dict[str, Any]:
        definition: dict[str, Any] = json.loads((METRICS / f"{metric}.json").read_text())
        assert cloud_measures.USER_METRIC.endswith(definition["name"].removesuffix(metric))
        return definition

    def labels(metric: str) -> dict[str, str]:
        described = defined(metric)["metricDescriptor"].get("labels", ())
        return {each["key"]: each["description"] for each in described}

    outcomes = labels(cloud_measures.OUTCOMES)[cloud_measures.OUTCOME]
    assert "completed" in outcomes
    assert "failed" in outcomes
    stages = labels(cloud_measures.DELAYS)[cloud_measures.STAGE]
    assert all(stage in stages for stage in Stage)
    for metric in (cloud_measures.DELAYS, cloud_measures.DURATIONS):
        assert defined(metric)["metricDescriptor"]["unit"] == "ms"
