"""The local Cloud Scheduler: a job as pure functions, and the server with the real SDK client."""

import asyncio
import signal
import sys
from datetime import UTC, datetime, timedelta

import google.auth.jwt
import grpc
import pytest
from google.api_core import exceptions
from google.cloud import scheduler_v1
from google.cloud.scheduler_v1.services.cloud_scheduler.transports import (
    CloudSchedulerGrpcAsyncIOTransport,
)
from google.protobuf import field_mask_pb2

from infra.local.google_api.http_target import Answer
from infra.local.scheduler import server as scheduler
from infra.local.scheduler.job import ScheduledJob
from infra.local.scheduler.service import checked_job
from tests.local.recording_worker import DEADLINE_S, STOP_WITHIN_S, eventually, recording_worker

LOCATION = "projects/demo-lumimd/locations/us-central1"
NAME = f"{LOCATION}/jobs/wake-due-visits"
NOON = datetime(2026, 1, 1, 12, 0, 30, tzinfo=UTC)
OK, ERROR = Answer(200, 0), Answer(500, 13)
State = scheduler_v1.Job.State


def minutes(n: float) -> timedelta:
    return timedelta(minutes=n)


def a_job(url: str = "http://127.0.0.1:1/", **fields) -> scheduler_v1.Job:
    fields = {"schedule": "* * * * *", "http_target": {"uri": url}} | fields
    return scheduler_v1.Job(name=NAME, **fields)


def scheduled(every: timedelta | None = None, **fields) -> ScheduledJob:
    return ScheduledJob(checked_job(a_job(**fields), NOON), NOON, every)


# The job as pure functions


@pytest.mark.parametrize(
    ("schedule", "time_zone", "tick"),
    [
        ("* * * * *", "", datetime(2026, 1, 1, 12, 1, tzinfo=UTC)),
        ("*/15 * * * *", "utc", datetime(2026, 1, 1, 12, 15, tzinfo=UTC)),
        ("30 8 * * MON", "", datetime(2026, 1, 5, 8, 30, tzinfo=UTC)),
        ("0 9 * * *", "America/New_York", datetime(2026, 1, 1, 14, 0, tzinfo=UTC)),
    ],
)
def test_a_job_ticks_by_its_schedule_in_its_time_zone(schedule, time_zone, tick):
    job = scheduled(schedule=schedule, time_zone=time_zone)
    assert job.next_wake() == tick
    assert job.take_due(tick - timedelta(seconds=1)) == []
    (run,) = job.take_due(tick)
    assert run.scheduled_at == tick


def test_the_option_every_replaces_the_schedule_by_a_fixed_interval():
    job = scheduled(every=timedelta(seconds=5))
    assert job.next_wake() == NOON + timedelta(seconds=5)
    (run,) = job.take_due(NOON + timedelta(seconds=6))
    job.finish(run, OK, NOON + timedelta(seconds=6.5))
    assert job.next_wake() == NOON + timedelta(seconds=10)


def test_ticks_during_a_run_cause_one_run_after_it():
    job = scheduled()
    first_tick = job.next_wake()
    (run,) = job.take_due(first_tick)
    assert job.next_wake() is None
    assert job.take_due(first_tick + minutes(3)) == []
    end = first_tick + minutes(3.5)
    job.finish(run, OK, end)
    (delayed,) = job.take_due(end)
    assert delayed.scheduled_at == first_tick + minutes(1)
    job.finish(delayed, OK, end)
    assert job.next_wake() == first_tick + minutes(4)


def test_a_paused_job_does_not_tick_and_missed_ticks_are_not_made_up():
    job = scheduled()
    job.pause()
    assert (job.take_due(NOON + minutes(5)), job.next_wake()) == ([], None)
    with pytest.raises(exceptions.FailedPrecondition):
        job.pause()
    job.resume(NOON + minutes(5))
    assert job.next_wake() == NOON.replace(second=0) + minutes(6)
    with pytest.raises(exceptions.FailedPrecondition):
        job.resume(NOON)


def test_without_retry_count_a_failed_run_waits_for_the_next_tick():
    job = scheduled()
    tick = job.next_wake()
    job.finish(job.take_due(tick)[0], ERROR, tick)
    assert job.next_wake() == tick + minutes(1)
    assert job.message.status.code == 13


def test_a_failed_run_is_retried_with_backoff_for_the_same_tick():
    job = scheduled(schedule="0 * * * *", retry_config={"retry_count": 2})
    tick = now = job.next_wake()
    for wait_s in (5, 10):
        (run,) = job.take_due(now)
        assert run.scheduled_at == tick
        job.finish(run, ERROR, now)
        now += timedelta(seconds=wait_s)
        assert job.next_wake() == now
    job.finish(job.take_due(now)[0], ERROR, now)
    assert job.next_wake() == tick + minutes(60), "two retries, no more"


def test_a_failed_run_is_not_retried_after_the_next_tick():
    job = scheduled(retry_config={"retry_count": 1, "min_backoff_duration": minutes(2)})
    tick = job.next_wake()
    job.finish(job.take_due(tick)[0], ERROR, tick)
    assert job.next_wake() == tick + minutes(1)


# The server with the real SDK client


def sdk_client(port: int) -> scheduler_v1.CloudSchedulerAsyncClient:
    channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")
    return scheduler_v1.CloudSchedulerAsyncClient(
        transport=CloudSchedulerGrpcAsyncIOTransport(channel=channel)
    )


@pytest.fixture
async def worker():
    async with recording_worker() as target:
        yield target


@pytest.fixture
async def client():
    """The client of a server whose jobs tick every 50 ms."""
    async with scheduler.serving(0, every=timedelta(milliseconds=50)) as (port, ticking):
        sdk = sdk_client(port)
        yield sdk
        assert not ticking.done(), "the ticker must not end by itself"
        await sdk.transport.close()


async def test_a_scheduled_request_has_the_documented_headers_and_a_token(client, worker):
    target = {
        "uri": f"{worker.url}/wake",
        "body": b"{}",
        "oidc_token": {"service_account_email": "scheduler@demo-lumimd.iam.gserviceaccount.com"},
    }
    await client.create_job(parent=LOCATION, job=a_job(http_target=target))
    got = (await worker.received(2))[0]
    assert (got.method, got.path, got.body) == ("POST", "/wake", b"{}")
    assert got.headers["content-type"] == "application/octet-stream"
    assert got.headers["user-agent"] == "Google-Cloud-Scheduler"
    assert got.headers["x-cloudscheduler"] == "true"
    assert got.headers["x-cloudscheduler-jobname"] == "wake-due-visits"
    assert datetime.fromisoformat(got.headers["x-cloudscheduler-scheduletime"]).tzinfo
    claims = google.auth.jwt.decode(
        got.headers["authorization"].removeprefix("Bearer "), verify=False
    )
    assert claims["email"] == "scheduler@demo-lumimd.iam.gserviceaccount.com"
    assert claims["aud"] == f"{worker.url}/wake"


async def test_a_job_does_not_overlap_itself_unless_forced(client, worker):
    release = asyncio.Event()

    async def respond(_):
        await release.wait()
        return 200

    worker.respond = respond
    await client.create_job(parent=LOCATION, job=a_job(worker.url))
    await worker.received(1)
    tick = (await client.get_job(name=NAME)).schedule_time

    async def the_next_tick_has_passed():
        return datetime.now(UTC) > tick + timedelta(milliseconds=100)

    await eventually(the_next_tick_has_passed)
    assert len(worker.requests) == 1
    await client.run_job(name=NAME)
    await worker.received(2)
    release.set()
    await worker.received(3)


async def test_a_paused_job_runs_only_on_request_and_a_resumed_job_ticks(client, worker):
    await client.create_job(parent=LOCATION, job=a_job(worker.url))
    paused = await client.pause_job(name=NAME)
    assert paused.state == State.PAUSED
    before = len(worker.requests)
    await client.run_job(name=NAME)
    await worker.received(before + 1)

    async def is_recorded():
        return (await client.get_job(name=NAME)).last_attempt_time is not None

    await eventually(is_recorded)
    assert (await client.resume_job(name=NAME)).state == State.ENABLED
    await worker.received(before + 3)


async def test_a_failed_run_is_reported_and_the_job_continues(client, worker):
    worker.answer_in_turn(403)
    await client.create_job(parent=LOCATION, job=a_job(worker.url))
    await worker.received(2)
    job = await client.get_job(name=NAME)
    assert job.status.code == grpc.StatusCode.PERMISSION_DENIED.value[0]


async def test_jobs_can_be_listed_updated_and_deleted(client, worker):
    created = await client.create_job(parent=LOCATION, job=a_job())
    assert created.attempt_deadline == minutes(3)
    assert created.state == State.ENABLED
    with pytest.raises(exceptions.AlreadyExists):
        await client.create_job(parent=LOCATION, job=a_job())
    updated = await client.update_job(
        job=scheduler_v1.Job(name=NAME, schedule="0 * * * *", http_target={"uri": worker.url}),
        update_mask=field_mask_pb2.FieldMask(paths=["http_target"]),
    )
    assert updated.schedule == "* * * * *", "the mask protects the rest"
    await worker.received(1)
    assert [job.name async for job in await client.list_jobs(parent=LOCATION)] == [NAME]
    await client.delete_job(name=NAME)
    with pytest.raises(exceptions.NotFound):
        await client.get_job(name=NAME)


@pytest.mark.parametrize(
    "fields",
    [
        {"schedule": "99 * * * *"},
        {"schedule": "* * * *"},
        {"schedule": "0 0 31 2 *"},
        {"time_zone": "Mars/Olympus"},
        {"attempt_deadline": timedelta(seconds=14)},
        {"retry_config": {"retry_count": 6}},
    ],
    ids=str,
)
async def test_the_local_scheduler_refuses_requests_that_the_real_service_refuses(client, fields):
    with pytest.raises(exceptions.InvalidArgument):
        await client.create_job(parent=LOCATION, job=a_job(**fields))


async def test_the_scheduler_command_calls_its_job_and_stops_promptly(worker):
    command = (sys.executable, "-m", "infra.local.scheduler", "--port", "0", "--every", "0.05")
    process = await asyncio.create_subprocess_exec(
        *command, "--job", f"wake={worker.url}/wake", stderr=asyncio.subprocess.PIPE
    )
    try:
        assert "authorization" in (await worker.received(2))[1].headers
        process.send_signal(signal.SIGTERM)
        started_at = asyncio.get_running_loop().time()
        async with asyncio.timeout(DEADLINE_S):
            log = (await process.stderr.read()).decode()
            assert await process.wait() == 0, log
        assert asyncio.get_running_loop().time() - started_at < STOP_WITHIN_S
        assert "job wake: 200" in log
        assert "Traceback" not in log
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
