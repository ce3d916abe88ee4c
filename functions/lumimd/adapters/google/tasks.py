"""The task queue on Cloud Tasks: tasks hold only ids, and have deterministic names."""

import json
from hashlib import sha256
from typing import Final

import grpc
from google.api_core import exceptions as api
from google.cloud import tasks_v2
from google.cloud.tasks_v2.services.cloud_tasks.transports import CloudTasksGrpcAsyncIOTransport
from google.protobuf.duration_pb2 import Duration

from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import Transient
from lumimd.policies import retry
from lumimd.policies.vendor_timeouts import DISPATCH_DEADLINE

_TRANSIENT: Final = (api.ServerError, api.TooManyRequests, api.Aborted, api.RetryError)


class CloudTaskQueue:
    """Creates tasks that call `summarize_url` as `service_account`."""

    def __init__(
        self,
        client: tasks_v2.CloudTasksAsyncClient,
        *,
        queue: str,
        summarize_url: str,
        service_account: str,
    ) -> None:
        self._client = client
        self._queue = queue
        self._summarize_url = summarize_url
        self._service_account = service_account

    async def request_summary(self, visit_id: str, attempt: int, request: int) -> None:
        """Create the task, unless a task of this name exists or once existed."""
        task = tasks_v2.Task(
            name=self._name(visit_id, attempt, request),
            dispatch_deadline=Duration(seconds=int(DISPATCH_DEADLINE.total_seconds())),
            http_request=tasks_v2.HttpRequest(
                url=self._summarize_url,
                http_method=tasks_v2.HttpMethod.POST,
                headers={"Content-Type": "application/json"},
                body=json.dumps({"visitId": visit_id, "attempt": attempt}).encode(),
                oidc_token=tasks_v2.OidcToken(
                    service_account_email=self._service_account, audience=self._summarize_url
                ),
            ),
        )
        await retry.call(retry.TASKS, ErrorCode.INTERNAL_ERROR, lambda: self._create(task))

    async def forget(self, visit_id: str, attempt: int, request: int) -> bool:
        """Delete the task, if it is still waiting."""
        name = self._name(visit_id, attempt, request)
        return await retry.call(retry.TASKS, ErrorCode.INTERNAL_ERROR, lambda: self._delete(name))

    def _name(self, visit_id: str, attempt: int, request: int) -> str:
        """Return the name of the task.

        The name is deterministic, so that a task is created once, and hashed, because sequential
        names slow a queue down.
        """
        name = sha256(f"summarize/{visit_id}/{attempt}/{request}".encode()).hexdigest()
        return f"{self._queue}/tasks/{name}"

    async def _delete(self, name: str) -> bool:
        try:
            await self._client.delete_task(name=name, retry=None, timeout=retry.TASKS.timeout_s)
        except (api.NotFound, api.FailedPrecondition):
            return False
        except _TRANSIENT as error:
            raise Transient(ErrorCode.INTERNAL_ERROR) from error
        return True

    async def _create(self, task: tasks_v2.Task) -> None:
        try:
            await self._client.create_task(
                parent=self._queue, task=task, retry=None, timeout=retry.TASKS.timeout_s
            )
        except api.AlreadyExists:
            return
        except _TRANSIENT as error:
            raise Transient(ErrorCode.INTERNAL_ERROR) from error


def client(emulator_host: str | None) -> tasks_v2.CloudTasksAsyncClient:
    """Return the SDK's client for the cloud, or for `emulator_host` (host:port, no TLS)."""
    if emulator_host is None:
        return tasks_v2.CloudTasksAsyncClient()
    channel = grpc.aio.insecure_channel(emulator_host)
    return tasks_v2.CloudTasksAsyncClient(transport=CloudTasksGrpcAsyncIOTransport(channel=channel))
