r"""A stand-in for Cloud Scheduler: a gRPC server for the real SDK client.

    python -m infra.local.scheduler --port 8124 --every 5 \
        --job wake-due-visits=http://127.0.0.1:8082/

With `--every` the jobs tick at that interval, so that a developer need not wait a minute. Without
`--every`, and always with `--hourly-job`, a job follows its unix-cron schedule. Jobs are kept in
memory.
"""

import argparse
import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import httpx
from google.cloud import scheduler_v1

from infra.local.google_api import grpc_server, http_target
from infra.local.google_api.pump import Clock, Pump, utc_now
from infra.local.scheduler.job import Run, ScheduledJob
from infra.local.scheduler.service import SERVICE, CloudScheduler, checked_job

HOURLY = "0 * * * *"
LOCATION = "projects/demo-lumimd/locations/us-central1"
ACCOUNT = "scheduler@demo-lumimd.iam.gserviceaccount.com"

log = logging.getLogger("infra.local.scheduler")


@asynccontextmanager
async def serving(
    port: int,
    jobs: Iterable[scheduler_v1.Job] = (),
    every: timedelta | None = None,
    clock: Clock = utc_now,
) -> AsyncIterator[tuple[int, asyncio.Task[None]]]:
    """Serve Cloud Scheduler with `jobs`; yield the port and the asyncio task that runs the jobs."""
    models = {
        job.name: ScheduledJob(
            checked_job(job, clock()), clock(), None if job.schedule == HOURLY else every
        )
        for job in jobs
    }
    async with http_target.http_client() as client:

        async def deliver(job: ScheduledJob, run: Run) -> None:
            request = build_request(client, run, clock())
            answer = await http_target.send(
                client, request, run.job.attempt_deadline.total_seconds()
            )
            job.finish(run, answer, clock())
            log.info("job %s: %s", run.job.name.rpartition("/")[2], answer)

        pump = Pump(models, deliver, clock)
        service = CloudScheduler(models, pump, clock, every)
        handler = grpc_server.service_handler(service, SERVICE)
        async with grpc_server.serving(handler, port, pump.run()) as running:
            yield running


def build_request(client: httpx.AsyncClient, run: Run, now: datetime) -> httpx.Request:
    """Build the request of a run, with the headers that the service documents."""
    target = run.job.http_target
    service_headers = {
        "User-Agent": "Google-Cloud-Scheduler",
        "X-CloudScheduler": "true",
        "X-CloudScheduler-JobName": run.job.name.rpartition("/")[2],
        "X-CloudScheduler-ScheduleTime": run.scheduled_at.isoformat().replace("+00:00", "Z"),
    }
    request = http_target.build_request(client, target, target.uri, service_headers, now)
    if target.body:
        request.headers.setdefault("Content-Type", "application/octet-stream")
    return request


async def main() -> None:
    parser = argparse.ArgumentParser(description="Cloud Scheduler on this machine")
    parser.add_argument("--port", type=int, default=8124)
    parser.add_argument(
        "--job",
        action="append",
        default=[],
        metavar="NAME=URL",
        help="a job to create at start; may be given several times",
    )
    parser.add_argument("--hourly-job", action="append", default=[], metavar="NAME=URL")
    parser.add_argument("--schedule", default="* * * * *", help="unix-cron, for these jobs")
    parser.add_argument(
        "--every", type=float, metavar="SECONDS", help="tick at this interval instead"
    )
    options = parser.parse_args()
    every = timedelta(seconds=options.every) if options.every else None
    server = serving(options.port, declared_jobs(options), every)
    await grpc_server.serve_until_stopped(server, log, f"{len(options.job)} jobs")


def declared_jobs(options: argparse.Namespace) -> list[scheduler_v1.Job]:
    """Return the jobs of the command line. Raises SystemExit for a job that is not NAME=URL."""
    jobs = []
    declared = [(job, options.schedule) for job in options.job]
    for declaration, schedule in [*declared, *((job, HOURLY) for job in options.hourly_job)]:
        name, separator, url = declaration.partition("=")
        if not separator:
            raise SystemExit(f"--job {declaration}: expected NAME=URL")
        jobs.append(
            scheduler_v1.Job(
                name=f"{LOCATION}/jobs/{name}",
                schedule=schedule,
                http_target=scheduler_v1.HttpTarget(
                    uri=url, oidc_token={"service_account_email": ACCOUNT}
                ),
            )
        )
    return jobs
