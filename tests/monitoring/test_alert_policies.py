"""Alert policies are valid messages of Google, read only existing metrics, and name a runbook."""

from pathlib import Path

import pytest
from google.protobuf import json_format

from tests.monitoring.alerting import FOLDER, bounds_of, metric_types, parsed, policies, terms
from tests.monitoring.log_metric import ours

ALERTS = policies()


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_each_alert_policy_file_parses_as_googles_message(path: Path) -> None:
    parsed(path.read_text())


def test_an_alert_policy_with_a_misspelt_field_or_value_is_rejected() -> None:
    text = (FOLDER / "dead-letter.json").read_text()
    for right, wrong in (("thresholdValue", "treshold"), ("ALIGN_DELTA", "ALIGN_DELTAS")):
        assert right in text
        with pytest.raises(json_format.ParseError):
            parsed(text.replace(right, wrong))


@pytest.mark.parametrize("name", sorted(policies()))
def test_each_alert_policy_reads_known_metrics_and_groups_by_bounded_labels(name: str) -> None:
    for condition in ALERTS[name].conditions:
        for metric_type in metric_types(condition):
            bounds_of(metric_type)  # raises KeyError for an unknown metric
        if "condition_threshold" not in condition:
            continue
        rule = condition.condition_threshold
        for query in filter(None, (rule.filter, rule.denominator_filter)):
            wanted = terms(query)
            (metric_type,) = wanted["metric.type"]
            used = {path for path in wanted if path.startswith("metric.label.")}
            if metric_type in ours():
                labels = ours()[metric_type].label_extractors
                assert used <= {f"metric.label.{label}" for label in labels}
                assert wanted["resource.type"] == {"cloud_run_revision"}
        (how,) = rule.aggregations
        assert set(how.group_by_fields) <= {
            "metric.label.stage",
            "metric.label.dependency",
            "metric.label.check_id",
            "resource.label.queue_id",
        }


@pytest.mark.parametrize("name", sorted(policies()))
def test_each_alert_policy_has_a_severity_and_names_its_runbook(name: str) -> None:
    policy = ALERTS[name]
    assert policy.documentation.content.endswith(f"Runbook: infra/runbooks/{name}.md")
    assert policy.severity.name in ("CRITICAL", "ERROR", "WARNING")
    # The API allows a rate limit only in policies on log lines; these policies are on time series.
    assert "notification_rate_limit" not in policy.alert_strategy


@pytest.mark.parametrize("name", sorted(policies()))
def test_an_alert_policy_evaluates_missing_data_only_where_the_api_allows_it(name: str) -> None:
    for condition in ALERTS[name].conditions:
        rule = condition.condition_threshold
        assert not rule.evaluation_missing_data or rule.duration.total_seconds() >= 60
        assert rule.duration.total_seconds() % 60 == 0
