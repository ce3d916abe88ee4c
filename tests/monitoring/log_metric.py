"""Parses `google.logging.v2.LogMetric` strictly, and applies the metric to log entries.

This module declares the message as Google documents it, so that the project does not depend on the
package that contains it. The submessages are from Google's packages.
https://cloud.google.com/logging/docs/reference/v2/rest/v2/projects.metrics
"""

import json
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from google.api import distribution_pb2, metric_pb2
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory

from tests.monitoring.log_filter import Entry, field, matches
from tests.monitoring.series import Point

FOLDER = Path(__file__).parents[2] / "infra" / "monitoring" / "metrics"
USER_METRIC = "logging.googleapis.com/user/"

_T = descriptor_pb2.FieldDescriptorProto
_FIELDS = (
    ("name", 1, _T.TYPE_STRING, ""),
    ("description", 2, _T.TYPE_STRING, ""),
    ("filter", 3, _T.TYPE_STRING, ""),
    ("disabled", 12, _T.TYPE_BOOL, ""),
    ("metric_descriptor", 5, _T.TYPE_MESSAGE, ".google.api.MetricDescriptor"),
    ("value_extractor", 6, _T.TYPE_STRING, ""),
    ("bucket_options", 8, _T.TYPE_MESSAGE, ".google.api.Distribution.BucketOptions"),
)


@cache
def _message() -> Any:
    file = descriptor_pb2.FileDescriptorProto(
        name="tests/log_metric.proto", package="tests", syntax="proto3"
    )
    file.dependency.extend(
        [metric_pb2.DESCRIPTOR.name, distribution_pb2.DESCRIPTOR.name]  # type: ignore[attr-defined]
    )
    metric = file.message_type.add(name="LogMetric")
    for name, number, kind, of in _FIELDS:
        added = metric.field.add(name=name, number=number, type=kind, label=_T.LABEL_OPTIONAL)
        if of:
            added.type_name = of
    entry = metric.nested_type.add(name="LabelExtractorsEntry")
    entry.options.map_entry = True
    for number, name in enumerate(("key", "value"), start=1):
        entry.field.add(name=name, number=number, type=_T.TYPE_STRING, label=_T.LABEL_OPTIONAL)
    metric.field.add(
        name="label_extractors",
        number=7,
        type=_T.TYPE_MESSAGE,
        type_name=".tests.LogMetric.LabelExtractorsEntry",
        label=_T.LABEL_REPEATED,
    )
    pool = descriptor_pool.Default()
    pool.Add(file)  # type: ignore[attr-defined]
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("tests.LogMetric"))


def parsed(text: str) -> Any:
    """Return the metric; raise ParseError for a field that the message does not have."""
    return json_format.ParseDict(json.loads(text), _message()(), ignore_unknown_fields=False)


@cache
def ours() -> dict[str, Any]:
    """Return the metrics of the product, by their type in Cloud Monitoring."""
    metrics = [parsed(path.read_text()) for path in sorted(FOLDER.glob("*.json"))]
    return {USER_METRIC + metric.name: metric for metric in metrics}


def points(metric: Any, entries: Iterable[tuple[float, Entry]]) -> list[Point]:
    """Return the points that `metric` derives from log entries with times in seconds."""
    found = []
    for at, entry in entries:
        if not matches(metric.filter, entry):
            continue
        labels = {
            key: _extracted(extractor, entry) for key, extractor in metric.label_extractors.items()
        }
        value = 1.0
        if metric.value_extractor:
            extracted = _extracted(metric.value_extractor, entry)
            if not re.fullmatch(r"-?\d+(\.\d+)?", extracted):
                continue  # a value that is not a number gives no point
            value = float(extracted)
        found.append(Point(at, value, {f"metric.label.{k}": v for k, v in labels.items()}))
    return found


def _extracted(extractor: str, entry: Entry) -> str:
    path = re.fullmatch(r"EXTRACT\(([\w.]+)\)", extractor)
    assert path, extractor
    value = field(path[1], entry)
    return "" if value is None else str(value)
