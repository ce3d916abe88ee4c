"""Simulate the part of Cloud Run's Admin API, version 1, that the real gcloud uses for traffic."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from tests.release.cloud_run import LATEST, CloudRun

READY = [
    {"type": each, "status": "True"} for each in ("Ready", "ConfigurationsReady", "RoutesReady")
]
"""The conditions of a service (reference of `namespaces.services`); gcloud waits for them."""


def service_of(cloud: CloudRun, name: str) -> dict[str, Any]:
    """Return the Service message, which is the response of `getService` and `replaceService`."""
    service = cloud.describe(name)
    service["metadata"] |= {"namespace": "1", "resourceVersion": "AA", "annotations": {}}
    service["spec"]["template"] = {"metadata": {}, "spec": {"containers": [{"image": "x"}]}}
    service["status"]["conditions"] = READY
    return service


def replace_traffic(cloud: CloudRun, name: str, targets: list[dict[str, Any]]) -> None:
    """Replace all traffic settings of a service, as `replaceService` does."""
    cloud.state[name]["traffic"] = [
        {"key": LATEST if each.get("latestRevision") else each["revisionName"]}
        | {kept: each[kept] for kept in ("percent", "tag") if each.get(kept)}
        for each in targets
    ]


@contextmanager
def served(cloud: CloudRun) -> Iterator[dict[str, str]]:
    """Serve the API and yield an environment in which gcloud reaches only this API, by a proxy."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer()

        def do_PUT(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["content-length"])))
            replace_traffic(cloud, self.named(), request["spec"]["traffic"])
            self.answer()

        def named(self) -> str:
            return self.path.partition("?")[0].rpartition("/")[2]

        def answer(self) -> None:
            found = self.named() in cloud.state
            body = json.dumps(
                service_of(cloud, self.named()) if found else {"error": {"code": 404}}
            )
            self.send_response(200 if found else 404)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield {
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_RUN": "http://run.invalid/",
        "CLOUDSDK_AUTH_DISABLE_CREDENTIALS": "1",
        "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK": "1",
        "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "1",
        "http_proxy": f"http://127.0.0.1:{server.server_port}",
    }
    server.shutdown()
    server.server_close()
