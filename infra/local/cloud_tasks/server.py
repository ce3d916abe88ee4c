r"""A stand-in for Cloud Tasks: a gRPC server for the real SDK client.

    python -m infra.local.cloud_tasks --port 8123 \
        --queue projects/demo-lumimd/locations/us-central1/queues/summaries

The client is `CloudTasksAsyncClient(transport=CloudTasksGrpcAsyncIOTransport(channel=
grpc.aio.insecure_channel("127.0.0.1:8123")))`. Tasks are kept in memory, so a restart loses them.
The pipeline must survive a lost task anyway: the poller creates it again by `wakeAt`.

The server omits the service's throttling (slow start, Retry-After) on purpose, so that the result
of a local run depends only on the declared settings of the queue.
"""

import argparse
import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import httpx
from google.cloud import tasks_v2

from infra.local.cloud_tasks.queue import Attempt, Queue
from infra.local.cloud_tasks.service import SERVICE, CloudTasks
from infra.local.cloud_tasks.validation import checked_queue
from infra.local.google_api import grpc_server, http_target
from infra.local.google_api.pump import Clock, Pump, utc_now

log = logging.getLogger("infra.local.cloud_tasks")


@asynccontextmanager
async def serving(
    port: int, queues: Iterable[tasks_v2.Queue] = (), clock: Clock = utc_now
) -> AsyncIterator[tuple[int, asyncio.Task[None]]]:
    """Serve Cloud Tasks with `queues`; yield the port and the asyncio task that dispatches."""
    models = {queue.name: Queue(checked_queue(queue), clock()) for queue in queues}
    async with http_target.http_client() as client:

        async def deliver(queue: Queue, attempt: Attempt) -> None:
            request = build_request(client, attempt, clock())
            deadline_s = attempt.task.dispatch_deadline.total_seconds()
            answer = await http_target.send(client, request, deadline_s)
            outcome = queue.finish(attempt, answer, clock())
            task_id, number = attempt.task.name.rpartition("/")[2], attempt.retry_count + 1
            log.info("task %s attempt %d: %s, %s", task_id, number, answer, outcome)

        pump = Pump(models, deliver, clock)
        handler = grpc_server.service_handler(CloudTasks(models, pump, clock), SERVICE)
        async with grpc_server.serving(handler, port, pump.run()) as running:
            yield running


def build_request(client: httpx.AsyncClient, attempt: Attempt, now: datetime) -> httpx.Request:
    """Build the request of an attempt, with the headers that the service documents."""
    target = attempt.task.http_request
    queue_name, _, task_id = attempt.task.name.rpartition("/tasks/")
    service_headers = {
        "User-Agent": "Google-Cloud-Tasks",
        "X-CloudTasks-QueueName": queue_name.rpartition("/")[2],
        "X-CloudTasks-TaskName": task_id,
        "X-CloudTasks-TaskRetryCount": str(attempt.retry_count),
        "X-CloudTasks-TaskExecutionCount": str(attempt.execution_count),
        "X-CloudTasks-TaskETA": f"{attempt.task.schedule_time.timestamp():.6f}",
    }
    if attempt.previous_response is not None:
        service_headers["X-CloudTasks-TaskPreviousResponse"] = str(attempt.previous_response)
    return http_target.build_request(client, target, target.url, service_headers, now)


async def main() -> None:
    parser = argparse.ArgumentParser(description="Cloud Tasks on this machine")
    parser.add_argument("--port", type=int, default=8123)
    parser.add_argument(
        "--queue",
        action="append",
        default=[],
        metavar="NAME",
        help="full name of a queue to create at start; may be given several times",
    )
    options = parser.parse_args()
    queues = [declared_queue(name) for name in options.queue]
    server = serving(options.port, queues)
    await grpc_server.serve_until_stopped(server, log, f"{len(queues)} queues")


def declared_queue(name: str) -> tasks_v2.Queue:
    """Create a queue named on the command line, with a short back-off for developers."""
    return tasks_v2.Queue(
        name=name,
        retry_config=tasks_v2.RetryConfig(
            min_backoff=timedelta(seconds=1), max_backoff=timedelta(seconds=60)
        ),
    )
