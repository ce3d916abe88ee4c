"""The log-based metrics are valid messages of Google, and turn log lines into points."""

from pathlib import Path

import pytest
from google.protobuf import json_format

from lumimd.telemetry import logs
from tests.monitoring.log_filter import UnknownFilter, entry_of, field, matches
from tests.monitoring.log_metric import FOLDER, USER_METRIC, ours, parsed, points
from tests.monitoring.series import Point, percentile

FILES = sorted(FOLDER.glob("*.json"))
NEVER_A_LABEL = {"visitId", "trace", "eventId", "request", "timestamp", "durationMs", "count"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_metric_file_parses_as_googles_message_and_is_named_after_the_metric(
    path: Path,
) -> None:
    assert parsed(path.read_text()).name == f"lumimd/{path.stem}"


def test_a_metric_with_a_misspelt_field_or_value_is_rejected() -> None:
    text = (FOLDER / "stage_delay.json").read_text()
    for right, wrong in (("valueExtractor", "valueExtracto"), ("DISTRIBUTION", "DISTRIBUTIO")):
        assert right in text
        with pytest.raises(json_format.ParseError):
            parsed(text.replace(right, wrong))


@pytest.mark.parametrize("metric_type", sorted(ours()))
def test_each_metric_reads_known_log_fields_and_has_no_label_with_unbounded_values(
    metric_type: str,
) -> None:
    metric = ours()[metric_type]
    extracted = [*metric.label_extractors.values(), *filter(None, [metric.value_extractor])]
    fields = {each.removeprefix("EXTRACT(jsonPayload.").removesuffix(")") for each in extracted}
    assert fields <= logs.FIELDS
    labelled = {
        each.removeprefix("EXTRACT(jsonPayload.").removesuffix(")")
        for each in metric.label_extractors.values()
    }
    assert not labelled & NEVER_A_LABEL
    assert {label.key for label in metric.metric_descriptor.labels} == set(metric.label_extractors)
    is_distribution = bool(metric.value_extractor)
    assert is_distribution == metric.HasField("bucket_options")
    bounds = list(metric.bucket_options.explicit_buckets.bounds)
    assert bounds == sorted(set(bounds))
    matches(metric.filter, entry_of({}))  # raises for an unsupported filter


def test_a_matching_log_line_becomes_a_metric_point_with_its_labels() -> None:
    line = {"event": "stage_ended", "severity": "INFO", "stage": "summary", "delayMs": 1_500}
    metric = ours()[f"{USER_METRIC}lumimd/stage_delay"]
    assert points(metric, [(7.0, entry_of(line))]) == [
        Point(7.0, 1_500.0, {"metric.label.stage": "summary"})
    ]
    assert points(metric, [(7.0, entry_of({**line, "event": "stage_began"}))]) == []
    assert points(metric, [(7.0, entry_of({**line, "delayMs": None}))]) == []


@pytest.mark.parametrize(
    ("query", "holds"),
    [
        ('jsonPayload.event="a"', True),
        ('jsonPayload.event="b"', False),
        ('jsonPayload.event=("b" OR "a")', True),
        ('jsonPayload.event!="b"', True),
        ('jsonPayload.missing!="b"', False),
        ("jsonPayload.count>3", True),
        ("jsonPayload.count>4", False),
        ("jsonPayload.count>=4", True),
        ("jsonPayload.missing>=0", False),
        ("severity>=ERROR", False),
        ("severity>=INFO", True),
        ('jsonPayload.event="a" AND jsonPayload.count>4', False),
        ('resource.type="cloud_run_revision" AND jsonPayload.event="a"', True),
    ],
)
def test_log_filters_are_evaluated_as_google_documents_them(query: str, holds: bool) -> None:
    entry = entry_of({"event": "a", "severity": "WARNING", "count": 4})
    assert matches(query, entry) is holds
    assert field("jsonPayload.severity", entry) is None


@pytest.mark.parametrize("query", ['a="x" OR b="y"', "NOT a=1", 'a:"x"', "a=~b", '(a="x")', "word"])
def test_an_unsupported_log_filter_is_an_error(query: str) -> None:
    with pytest.raises(UnknownFilter):
        matches(query, entry_of({}))


def test_a_percentile_is_interpolated_within_its_bucket() -> None:
    bounds = (0.0, 10.0, 20.0)
    assert percentile([12.0] * 10, 0.5, bounds) == 15.0
    assert percentile([1.0] * 9 + [50.0], 0.95, bounds) == 20.0
