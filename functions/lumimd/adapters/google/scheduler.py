"""An operator's control of the scheduled calls on Cloud Scheduler."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar

import grpc
from google.api_core import exceptions as api
from google.cloud import scheduler_v1
from google.cloud.scheduler_v1.services.cloud_scheduler.transports import (
    CloudSchedulerGrpcAsyncIOTransport,
)

from lumimd.domain.codes import ErrorCode, OperatorCode
from lumimd.domain.errors import OperatorRefused, Transient
from lumimd.policies.vendor_timeouts import SCHEDULE_CALL_S
from lumimd.ports.service_controls import RunState, ScheduleState

T = TypeVar("T")


_STATES: Final = {"ENABLED": RunState.RUNNING, "PAUSED": RunState.PAUSED}


class CloudSchedules:
    """The scheduled calls of one location (`projects/P/locations/L`)."""

    def __init__(self, client: scheduler_v1.CloudSchedulerAsyncClient, location: str) -> None:
        self._client = client
        self._location = location

    async def all(self) -> Sequence[ScheduleState]:
        """Return every scheduled call, by name."""
        found = await _called(
            self._client.list_jobs(parent=self._location, retry=None, timeout=SCHEDULE_CALL_S)
        )
        return sorted([_state(job) async for job in found], key=lambda each: each.name)

    async def run(self, name: str) -> ScheduleState:
        """Make the scheduled call now."""
        return _state(await _called(self._client.run_job(**self._asked(name))))

    async def pause(self, name: str) -> ScheduleState:
        """Make no more of these calls; a paused schedule stays paused."""
        return await self._unless_done(name, self._client.pause_job)

    async def resume(self, name: str) -> ScheduleState:
        """Make these calls again; a running schedule keeps running."""
        return await self._unless_done(name, self._client.resume_job)

    async def _unless_done(self, name: str, change: Callable[..., Awaitable[Any]]) -> ScheduleState:
        try:
            return _state(await _called(change(**self._asked(name))))
        except api.FailedPrecondition:  # the schedule is already in that state
            return _state(await _called(self._client.get_job(**self._asked(name))))

    def _asked(self, name: str) -> dict[str, Any]:
        return {"name": f"{self._location}/jobs/{name}", "retry": None, "timeout": SCHEDULE_CALL_S}


def client(emulator_host: str | None) -> scheduler_v1.CloudSchedulerAsyncClient:
    """Return the SDK's client for the cloud, or for `emulator_host` (host:port, no TLS)."""
    if emulator_host is None:
        return scheduler_v1.CloudSchedulerAsyncClient()
    channel = grpc.aio.insecure_channel(emulator_host)
    transport = CloudSchedulerGrpcAsyncIOTransport(channel=channel)
    return scheduler_v1.CloudSchedulerAsyncClient(transport=transport)


def _state(job: Any) -> ScheduleState:
    last_at = job.last_attempt_time or None
    return ScheduleState(
        name=job.name.rpartition("/")[2],
        state=_STATES.get(job.state.name, RunState.DISABLED),
        schedule=job.schedule,
        time_zone=job.time_zone,
        last_at=last_at,
        last_code=job.status.code if last_at else None,
        next_at=job.schedule_time or None,
    )


async def _called(call: Awaitable[T]) -> T:
    try:
        return await call
    except (api.NotFound, api.InvalidArgument) as error:
        raise OperatorRefused(OperatorCode.NO_SUCH_SCHEDULE) from error
    except (api.ServerError, api.TooManyRequests, api.Aborted, api.RetryError) as error:
        raise Transient(ErrorCode.INTERNAL_ERROR) from error
