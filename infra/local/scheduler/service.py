"""Implements the RPCs of google.cloud.scheduler.v1.CloudScheduler with jobs in memory."""

import logging
import re
import uuid
from datetime import datetime, timedelta
from zoneinfo import available_timezones

from cronsim import CronSimError
from google.api_core import exceptions
from google.cloud import scheduler_v1
from google.protobuf import empty_pb2

from infra.local.cloud_tasks.validation import check_target, checked_deadline
from infra.local.google_api import grpc_server
from infra.local.google_api.grpc_server import page
from infra.local.google_api.pump import Clock, Pump
from infra.local.scheduler.job import Run, ScheduledJob, cron_tick

SERVICE = "google.cloud.scheduler.v1.CloudScheduler"
DEFAULT_DEADLINE = timedelta(minutes=3)
_LARGEST_PAGE = 500
_LARGEST_RETRY_COUNT = 5
_JOB_NAME = re.compile(r"projects/[A-Za-z0-9.:-]+/locations/[a-z0-9-]+/jobs/[A-Za-z0-9_-]{1,500}")

log = logging.getLogger("infra.local.scheduler")


def checked_job(job: scheduler_v1.Job, now: datetime) -> scheduler_v1.Job:
    """Validate `job` and return a copy with defaults filled in.

    Raises InvalidArgument, or MethodNotImplemented for a feature that is missing here.
    """
    if not _JOB_NAME.fullmatch(job.name):
        raise exceptions.InvalidArgument(f"Invalid job name: {job.name!r}")
    if "http_target" not in job:
        raise exceptions.MethodNotImplemented("Only HTTP targets are available locally")
    check_target(job.http_target, job.http_target.uri)
    complete = scheduler_v1.Job(job)
    # The service's documentation spells the zone "utc", which the tz database does not contain.
    complete.time_zone = "Etc/UTC" if job.time_zone in {"", "utc"} else job.time_zone
    if complete.time_zone not in available_timezones():
        raise exceptions.InvalidArgument(f"Unknown time zone: {job.time_zone!r}")
    complete.attempt_deadline = checked_deadline(
        "Job.attempt_deadline", job.attempt_deadline or DEFAULT_DEADLINE
    )
    try:
        # cronsim also accepts schedules with seconds or years, which unix-cron does not have.
        if len(job.schedule.split()) != 5:
            raise exceptions.InvalidArgument("Job.schedule must have five fields")
        cron_tick(complete.schedule, complete.time_zone, now)
    except (CronSimError, StopIteration) as error:
        raise exceptions.InvalidArgument(f"Invalid schedule: {error}") from error
    retry = complete.retry_config
    if not 0 <= retry.retry_count <= _LARGEST_RETRY_COUNT:
        raise exceptions.InvalidArgument("RetryConfig.retry_count must be in [0, 5]")
    retry.min_backoff_duration = retry.min_backoff_duration or timedelta(seconds=5)
    retry.max_backoff_duration = retry.max_backoff_duration or timedelta(hours=1)
    retry.max_doublings = retry.max_doublings or 5
    return complete


class CloudScheduler:
    """The jobs; each public method is an RPC (see `grpc_server.service_handler`)."""

    def __init__(
        self,
        jobs: dict[str, ScheduledJob],
        pump: Pump[ScheduledJob, Run],
        clock: Clock,
        every: timedelta | None,
    ) -> None:
        self._jobs = jobs
        self._pump = pump
        self._clock = clock
        self._every = every

    async def list_jobs(
        self, request: scheduler_v1.ListJobsRequest
    ) -> scheduler_v1.ListJobsResponse:
        here = [name for name in self._jobs if name.startswith(f"{request.parent}/jobs/")]
        names, token = page(here, request.page_size, request.page_token, _LARGEST_PAGE)
        return scheduler_v1.ListJobsResponse(
            jobs=[self._jobs[name].message for name in names], next_page_token=token
        )

    async def get_job(self, request: scheduler_v1.GetJobRequest) -> scheduler_v1.Job:
        return self._job(request.name).message

    async def create_job(self, request: scheduler_v1.CreateJobRequest) -> scheduler_v1.Job:
        named = scheduler_v1.Job(request.job)
        named.name = named.name or f"{request.parent}/jobs/{uuid.uuid4().int}"
        now = self._clock()
        message = checked_job(named, now)
        if not message.name.startswith(f"{request.parent}/jobs/"):
            raise exceptions.InvalidArgument("The job's name is not in the request's location")
        if message.name in self._jobs:
            raise exceptions.AlreadyExists("Job already exists")
        job = self._jobs[message.name] = ScheduledJob(message, now, self._every)
        self._changed("created", message.name)
        return job.message

    async def update_job(self, request: scheduler_v1.UpdateJobRequest) -> scheduler_v1.Job:
        """Change the fields in the mask, or all fields without a mask."""
        job, now = self._job(request.job.name), self._clock()
        merged = grpc_server.merged(job.message, request.job, request.update_mask)
        # The state is output only; PauseJob and ResumeJob change it.
        message = scheduler_v1.Job(checked_job(merged, now), state=job.message.state)
        job.configure(message, now)
        self._changed("updated", message.name)
        return job.message

    async def delete_job(self, request: scheduler_v1.DeleteJobRequest) -> empty_pb2.Empty:
        self._job(request.name)
        del self._jobs[request.name]
        self._changed("deleted", request.name)
        return empty_pb2.Empty()

    async def pause_job(self, request: scheduler_v1.PauseJobRequest) -> scheduler_v1.Job:
        job = self._job(request.name)
        job.pause()
        self._changed("paused", request.name)
        return job.message

    async def resume_job(self, request: scheduler_v1.ResumeJobRequest) -> scheduler_v1.Job:
        job = self._job(request.name)
        job.resume(self._clock())
        self._changed("resumed", request.name)
        return job.message

    async def run_job(self, request: scheduler_v1.RunJobRequest) -> scheduler_v1.Job:
        job = self._job(request.name)
        self._pump.start(job, job.run_now(self._clock()))
        return job.message

    def _job(self, name: str) -> ScheduledJob:
        if name not in self._jobs:
            raise exceptions.NotFound("Job not found.")
        return self._jobs[name]

    def _changed(self, change: str, name: str) -> None:
        self._pump.wake()
        log.info("job %s %s", name.rpartition("/")[2], change)
