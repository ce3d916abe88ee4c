"""The dashboards are valid messages of Google, and read only existing metrics."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.cloud import monitoring_dashboard_v1
from google.protobuf import json_format

from tests.monitoring.alerting import bounds_of, terms
from tests.monitoring.log_metric import USER_METRIC, ours

FOLDER = Path(__file__).parents[2] / "infra" / "monitoring" / "dashboards"
FILES = sorted(FOLDER.glob("*.json"))
ON_DISTRIBUTIONS = {f"REDUCE_PERCENTILE_{n}" for n in (5, 50, 95, 99)} | {"REDUCE_MEAN"}
PROMETHEUS = re.compile(r"logging_googleapis_com:user_(\w+)_sum\{")


def parsed(text: str) -> Any:
    message = monitoring_dashboard_v1.Dashboard.pb(monitoring_dashboard_v1.Dashboard())
    return json_format.ParseDict(json.loads(text), message, ignore_unknown_fields=False)


def named(value: Any, name: str) -> Iterator[Any]:
    """Yield the values of all keys `name`, at any depth."""
    if isinstance(value, dict):
        for key, below in value.items():
            if key == name:
                yield below
            yield from named(below, name)
    elif isinstance(value, list):
        for below in value:
            yield from named(below, name)


def reads(dashboard: Any) -> Iterator[tuple[str, Any]]:
    """Yield each filter of a dashboard, with its aggregation."""
    for kind in ("timeSeriesFilter", "numerator", "denominator"):
        for query in named(dashboard, kind):
            yield query["filter"], query["aggregation"]


def metrics_read() -> set[str]:
    """Return the types of all metrics that the dashboards read."""
    dashboards = [json.loads(path.read_text()) for path in FILES]
    by_filter = {t for board in dashboards for query, _ in reads(board) for t in _type(query)}
    return by_filter | {t for board in dashboards for t in _in_prometheus(board)}


def _type(query: str) -> frozenset[str]:
    return terms(query)["metric.type"]


def _in_prometheus(board: Any) -> Iterator[str]:
    known = {re.sub(r"\W", "_", name.removeprefix(USER_METRIC)): name for name in ours()}
    for query in named(board, "prometheusQuery"):
        for name in PROMETHEUS.findall(query):
            yield known[name]


def test_the_dashboards_are_cost_pipeline_and_providers() -> None:
    assert [path.stem for path in FILES] == ["cost", "pipeline", "providers"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_dashboard_file_parses_as_googles_message(path: Path) -> None:
    parsed(path.read_text())


def test_a_dashboard_with_a_misspelt_field_or_value_is_rejected() -> None:
    text = (FOLDER / "pipeline.json").read_text()
    for right, wrong in (("xyChart", "xyChar"), ("STACKED_BAR", "STACKED_BARS")):
        assert right in text
        with pytest.raises(json_format.ParseError):
            parsed(text.replace(right, wrong))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_dashboard_panel_reads_known_metrics_and_labels_with_a_fitting_reducer(
    path: Path,
) -> None:
    for query, how in reads(json.loads(path.read_text())):
        wanted = terms(query)
        (metric_type,) = wanted["metric.type"]
        is_distribution = bool(bounds_of(metric_type))
        assert (how["crossSeriesReducer"] in ON_DISTRIBUTIONS) is (
            is_distribution or how["perSeriesAligner"] == "ALIGN_FRACTION_TRUE"
        ), query
        paths = {*wanted, *how.get("groupByFields", ())}
        used = {path.removeprefix("metric.label.") for path in paths if "metric.label" in path}
        if metric_type in ours():
            assert used <= set(ours()[metric_type].label_extractors)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_panels_of_a_dashboard_do_not_overlap(path: Path) -> None:
    board = json.loads(path.read_text())["mosaicLayout"]
    taken: set[tuple[int, int]] = set()
    for tile in board["tiles"]:
        across = range(tile["xPos"], tile["xPos"] + tile["width"])
        cells = {(x, tile["yPos"]) for x in across}
        assert not cells & taken
        assert max(across) < board["columns"] <= 48
        taken |= cells


def test_every_metric_of_the_product_is_on_a_dashboard() -> None:
    assert set(ours()) - metrics_read() == set()
