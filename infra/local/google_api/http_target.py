"""Sends one HTTP request to a target, as Cloud Tasks and Cloud Scheduler do.

A redirect is not followed and counts as a failure. Each connection is used for one request only, so
that the restart of a worker cannot reset a connection that is reused.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import grpc
import httpx

from infra.local.google_api.oidc import local_id_token

# If the caller sets these headers, they are ignored, because the service itself sets them.
_RESERVED = ("host", "content-length", "user-agent")
_RESERVED_PREFIXES = ("x-google-", "x-appengine-", "x-cloudtasks-", "x-cloudscheduler")


@dataclass(frozen=True)
class Answer:
    """The result of a request: the HTTP status (None without a response) and its gRPC code."""

    code: int | None
    rpc_code: int

    @property
    def succeeded(self) -> bool:
        return self.code is not None and 200 <= self.code < 300

    def __str__(self) -> str:
        return str(self.code) if self.code else _RPC_NAMES[self.rpc_code].lower()


# The mapping is from the comments in google/rpc/code.proto.
_RPC_CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    409: grpc.StatusCode.ABORTED,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    499: grpc.StatusCode.CANCELLED,
    500: grpc.StatusCode.INTERNAL,
    501: grpc.StatusCode.UNIMPLEMENTED,
    503: grpc.StatusCode.UNAVAILABLE,
    504: grpc.StatusCode.DEADLINE_EXCEEDED,
}
_RPC_NAMES: dict[int, str] = {status.value[0]: status.name for status in grpc.StatusCode}
TIMED_OUT = Answer(None, grpc.StatusCode.DEADLINE_EXCEEDED.value[0])
UNREACHABLE = Answer(None, grpc.StatusCode.UNAVAILABLE.value[0])


def http_client(timeout_s: float | None = None) -> httpx.AsyncClient:
    """Create a client without a connection limit, since the queue limits the open requests."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    # trust_env=False: a proxy set for this machine must not see requests to 127.0.0.1.
    return httpx.AsyncClient(timeout=timeout_s, limits=limits, trust_env=False)


def build_request(
    client: httpx.AsyncClient,
    target: Any,
    url: str,
    service_headers: Mapping[str, str],
    now: datetime,
) -> httpx.Request:
    """Build the request for a proto `target` (a task's HttpRequest, a job's HttpTarget) at `url`.

    If `target` has an oidc_token, the request contains an identity token. The token's audience is
    the URL unless `target` names another audience.
    """
    headers = {
        name: value
        for name, value in target.headers.items()
        if name.lower() not in _RESERVED and not name.lower().startswith(_RESERVED_PREFIXES)
    }
    if "oidc_token" in target:
        oidc = target.oidc_token
        token = local_id_token(oidc.service_account_email, oidc.audience or url, now)
        headers = {k: v for k, v in headers.items() if k.lower() != "authorization"}
        headers["Authorization"] = f"Bearer {token}"
    return client.build_request(
        target.http_method.name if target.http_method else "POST",
        url,
        headers=headers | dict(service_headers),
        content=target.body,
    )


async def send(client: httpx.AsyncClient, request: httpx.Request, deadline_s: float) -> Answer:
    """Send a request. At the deadline it is cancelled, so that the worker sees a disconnect."""
    try:
        async with asyncio.timeout(deadline_s):
            response = await client.send(request)
    except TimeoutError:
        return TIMED_OUT
    except httpx.RequestError:  # no connection, a broken connection, or an unreadable body
        return UNREACHABLE
    return Answer(response.status_code, _rpc_code(response.status_code))


def _rpc_code(status: int) -> int:
    """Return the google.rpc code that the services report for an HTTP status (0 for 2xx)."""
    if 200 <= status < 300:
        return 0
    return int(_RPC_CODES.get(status, grpc.StatusCode.UNKNOWN).value[0])
