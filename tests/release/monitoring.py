"""Simulate Cloud Monitoring over gRPC, with filters by metric and by revision."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
from google.api import distribution_pb2
from google.cloud import monitoring_v3
from google.cloud.monitoring_v3.services.metric_service.transports import MetricServiceGrpcTransport


class Monitoring:
    """A simulated server that returns the series that match the filter and records the requests."""

    def __init__(self) -> None:
        self.requests: list[monitoring_v3.ListTimeSeriesRequest] = []
        self.series: list[monitoring_v3.TimeSeries] = []
        self.refuses = False

    def list_time_series(
        self, request: monitoring_v3.ListTimeSeriesRequest, context: grpc.ServicerContext
    ) -> monitoring_v3.ListTimeSeriesResponse:
        self.requests.append(request)
        if self.refuses:
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "no")
        found = [each for each in self.series if _matches(each, request.filter)]
        return monitoring_v3.ListTimeSeriesResponse(time_series=found)

    def add(
        self, metric: str, labels: dict[str, str], *values: dict[str, Any], revision: str = ""
    ) -> None:
        points = [monitoring_v3.Point(value=monitoring_v3.TypedValue(**each)) for each in values]
        series = monitoring_v3.TimeSeries(points=points)
        series.metric.type = metric
        series.metric.labels.update(labels)
        if revision:
            series.resource.type = "cloud_run_revision"
            series.resource.labels["revision_name"] = revision
        self.series.append(series)


def _matches(series: monitoring_v3.TimeSeries, query: str) -> bool:
    """Apply a filter (docs.cloud.google.com/monitoring/api/v3/filters); `one_of` takes a list."""
    revision = series.resource.labels.get("revision_name")
    names = re.search(r"resource[.]labels?[.]revision_name *= *one_of[(]([^)]*)[)]", query)
    if revision and names and f'"{revision}"' not in names[1].split(","):
        return False
    return f'"{series.metric.type}"' in query


@contextmanager
def client_of(monitoring: Monitoring) -> Iterator[monitoring_v3.MetricServiceClient]:
    """Yield the real client, connected to the simulated server."""
    server = grpc.server(ThreadPoolExecutor(2))
    handler = grpc.unary_unary_rpc_method_handler(
        monitoring.list_time_series,
        monitoring_v3.ListTimeSeriesRequest.deserialize,
        monitoring_v3.ListTimeSeriesResponse.serialize,
    )
    service = "google.monitoring.v3.MetricService"
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler(service, {"ListTimeSeries": handler})]
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield monitoring_v3.MetricServiceClient(
            transport=MetricServiceGrpcTransport(channel=channel)
        )
    server.stop(None).wait()


def histogram(bounds: list[float], counts: list[int]) -> dict[str, Any]:
    options = distribution_pb2.Distribution.BucketOptions(
        explicit_buckets=distribution_pb2.Distribution.BucketOptions.Explicit(bounds=bounds)
    )
    distribution = distribution_pb2.Distribution(
        count=sum(counts), bucket_options=options, bucket_counts=counts
    )
    return {"distribution_value": distribution}


def user(metric: str) -> str:
    return f"logging.googleapis.com/user/lumimd/{metric}"
