"""The local Cloud Tasks: the real SDK client calls it by gRPC, and it sends tasks by HTTP."""

import asyncio
import signal
import sys
from datetime import UTC, datetime, timedelta

import google.auth.jwt
import grpc
import pytest
from google.api_core import exceptions
from google.cloud import tasks_v2
from google.cloud.tasks_v2.services.cloud_tasks.transports import CloudTasksGrpcAsyncIOTransport
from google.protobuf import field_mask_pb2

from infra.local.cloud_tasks import server as cloud_tasks
from infra.local.google_api.http_target import TIMED_OUT, UNREACHABLE, http_client, send
from tests.local.recording_worker import DEADLINE_S, STOP_WITHIN_S, eventually, recording_worker

LOCATION = "projects/demo-lumimd/locations/us-central1"
QUEUE = f"{LOCATION}/queues/summaries"
QUICK = tasks_v2.RetryConfig(
    min_backoff=timedelta(milliseconds=20), max_backoff=timedelta(milliseconds=40)
)


def sdk_client(port: int) -> tasks_v2.CloudTasksAsyncClient:
    channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")
    return tasks_v2.CloudTasksAsyncClient(transport=CloudTasksGrpcAsyncIOTransport(channel=channel))


@pytest.fixture
async def worker():
    async with recording_worker() as target:
        yield target


@pytest.fixture
async def client():
    queue = tasks_v2.Queue(name=QUEUE, retry_config=QUICK)
    async with cloud_tasks.serving(0, [queue]) as (port, dispatching):
        sdk = sdk_client(port)
        yield sdk
        assert not dispatching.done(), "the dispatcher must not end by itself"
        await sdk.transport.close()


def a_task(url: str, task_id: str = "t", **fields) -> tasks_v2.Task:
    fields.setdefault("http_request", tasks_v2.HttpRequest(url=url))
    return tasks_v2.Task(name=f"{QUEUE}/tasks/{task_id}", **fields)


async def is_gone(client, name: str) -> bool:
    try:
        await client.get_task(name=name)
    except exceptions.NotFound:
        return True
    return False


async def test_a_task_request_has_the_documented_headers_and_those_of_the_task(client, worker):
    http_request = tasks_v2.HttpRequest(
        url=f"{worker.url}/summarize",
        body=b'{"visitId": "v1"}',
        headers={"Content-Type": "application/json", "X-CloudTasks-TaskName": "forged"},
        oidc_token={"service_account_email": "tasks@demo-lumimd.iam.gserviceaccount.com"},
    )
    await client.create_task(parent=QUEUE, task=a_task("", "visit-1", http_request=http_request))
    (got,) = await worker.received(1)
    assert (got.method, got.path, got.body) == ("POST", "/summarize", b'{"visitId": "v1"}')
    assert got.headers["content-type"] == "application/json"
    assert got.headers["user-agent"] == "Google-Cloud-Tasks"
    assert got.headers.getlist("x-cloudtasks-taskname") == ["visit-1"]
    assert got.headers["x-cloudtasks-queuename"] == "summaries"
    assert got.headers["x-cloudtasks-taskretrycount"] == "0"
    assert got.headers["x-cloudtasks-taskexecutioncount"] == "0"
    assert "x-cloudtasks-taskpreviousresponse" not in got.headers
    eta = float(got.headers["x-cloudtasks-tasketa"])
    assert abs(eta - datetime.now(UTC).timestamp()) < DEADLINE_S

    scheme, _, token = got.headers["authorization"].partition(" ")
    claims = google.auth.jwt.decode(token, verify=False)
    assert scheme == "Bearer"
    assert claims["email"] == "tasks@demo-lumimd.iam.gserviceaccount.com"
    assert claims["aud"] == f"{worker.url}/summarize"
    assert claims["iss"] == "https://accounts.google.com"
    assert claims["exp"] - claims["iat"] == 3600


async def test_the_token_of_a_task_request_has_the_requested_audience(client, worker):
    oidc = {"service_account_email": "a@b.c", "audience": "https://summarize"}
    http_request = tasks_v2.HttpRequest(url=worker.url, oidc_token=oidc)
    await client.create_task(parent=QUEUE, task=a_task("", http_request=http_request))
    (got,) = await worker.received(1)
    token = got.headers["authorization"].removeprefix("Bearer ")
    assert google.auth.jwt.decode(token, verify=False)["aud"] == "https://summarize"


async def test_a_task_is_retried_until_2xx_and_its_name_stays_reserved(client, worker):
    worker.answer_in_turn(500, 429, 204)
    task = await client.create_task(parent=QUEUE, task=a_task(worker.url))
    received = await worker.received(3)
    reported = [
        (h["x-cloudtasks-taskretrycount"], h.get("x-cloudtasks-taskpreviousresponse"))
        for h in (got.headers for got in received)
    ]
    assert reported == [("0", None), ("1", "500"), ("2", "429")]
    assert received[1].at - received[0].at >= 0.02
    await eventually(lambda: is_gone(client, task.name))
    with pytest.raises(exceptions.AlreadyExists):
        await client.create_task(parent=QUEUE, task=a_task(worker.url))
    assert len(worker.requests) == 3


async def test_only_one_of_several_concurrent_creations_with_the_same_name_succeeds(client, worker):
    results = await asyncio.gather(
        *(client.create_task(parent=QUEUE, task=a_task(worker.url)) for _ in range(20)),
        return_exceptions=True,
    )
    assert sum(isinstance(result, tasks_v2.Task) for result in results) == 1
    assert sum(isinstance(result, exceptions.AlreadyExists) for result in results) == 19
    await worker.received(1)


async def test_all_tasks_run_and_never_exceed_the_concurrency_limit(client, worker):
    queue = tasks_v2.Queue(name=QUEUE, rate_limits={"max_concurrent_dispatches": 3})
    mask = field_mask_pb2.FieldMask(paths=["rate_limits.max_concurrent_dispatches"])
    updated = await client.update_queue(queue=queue, update_mask=mask)
    assert updated.retry_config.min_backoff == QUICK.min_backoff, "the mask protects the rest"
    running, most, release = 0, 0, asyncio.Event()

    async def respond(_):
        nonlocal running, most
        running += 1
        most = max(most, running)
        await release.wait()
        running -= 1
        return 200

    worker.respond = respond
    for n in range(12):
        await client.create_task(parent=QUEUE, task=a_task(worker.url, f"t{n}"))
    await worker.received(3)
    release.set()
    await worker.received(12)
    assert most == 3


async def test_a_rate_limit_spreads_tasks_over_time(client, worker):
    limits = {"max_dispatches_per_second": 50}
    await client.update_queue(queue=tasks_v2.Queue(name=QUEUE, rate_limits=limits))
    burst, beyond = 50, 15
    await client.pause_queue(name=QUEUE)
    for n in range(burst + beyond):
        await client.create_task(parent=QUEUE, task=a_task(worker.url, f"t{n}"))
    started_at = asyncio.get_running_loop().time()
    await client.resume_queue(name=QUEUE)
    received = await worker.received(burst + beyond)
    assert received[-1].at - started_at >= beyond / 50 - 0.02


async def test_a_paused_queue_keeps_its_tasks_and_dispatches_them_after_resuming(client, worker):
    paused = await client.pause_queue(name=QUEUE)
    assert paused.state == tasks_v2.Queue.State.PAUSED
    for n in range(5):
        await client.create_task(parent=QUEUE, task=a_task(worker.url, f"held-{n}"))
    await client.run_task(name=f"{QUEUE}/tasks/held-0")
    (only,) = await worker.received(1)
    assert only.headers["x-cloudtasks-taskname"] == "held-0"
    resumed = await client.resume_queue(name=QUEUE)
    assert resumed.state == tasks_v2.Queue.State.RUNNING
    assert len(await worker.received(5)) == 5


async def test_a_task_is_not_dispatched_before_its_schedule_time(client, worker):
    due = datetime.now(UTC) + timedelta(milliseconds=300)
    await client.create_task(parent=QUEUE, task=a_task(worker.url, schedule_time=due))
    (got,) = await worker.received(1)
    assert datetime.now(UTC) >= due
    eta = float(got.headers["x-cloudtasks-tasketa"])
    assert eta >= due.timestamp() - 1e-3


async def test_tasks_can_be_read_listed_and_deleted_before_they_run(client):
    await client.pause_queue(name=QUEUE)
    for n in range(3):
        http_request = tasks_v2.HttpRequest(url="http://127.0.0.1:1/", body=b"x")
        await client.create_task(parent=QUEUE, task=a_task("", f"t{n}", http_request=http_request))
    pages = await client.list_tasks(request={"parent": QUEUE, "page_size": 2})
    assert [task.name[-2:] async for task in pages] == ["t0", "t1", "t2"]
    name = f"{QUEUE}/tasks/t0"
    full = {"name": name, "response_view": tasks_v2.Task.View.FULL}
    assert (await client.get_task(name=name)).http_request.body == b""
    assert (await client.get_task(request=full)).http_request.body == b"x"
    assert (await client.get_task(name=name)).dispatch_deadline == timedelta(minutes=10)
    await client.delete_task(name=name)
    assert await is_gone(client, name)
    assert (await client.purge_queue(name=QUEUE)).purge_time
    assert [task async for task in await client.list_tasks(parent=QUEUE)] == []


async def test_queues_can_be_created_listed_and_deleted(client):
    name = f"{LOCATION}/queues/other"
    created = await client.create_queue(parent=LOCATION, queue=tasks_v2.Queue(name=name))
    assert created.retry_config.max_attempts == 100
    assert created.retry_config.max_doublings == 16
    assert created.rate_limits.max_dispatches_per_second == 500
    assert created.rate_limits.max_concurrent_dispatches == 1000
    with pytest.raises(exceptions.AlreadyExists):
        await client.create_queue(parent=LOCATION, queue=tasks_v2.Queue(name=name))
    listed = [queue.name async for queue in await client.list_queues(parent=LOCATION)]
    assert listed == [name, QUEUE]
    await client.delete_queue(name=name)
    with pytest.raises(exceptions.NotFound):
        await client.get_queue(name=name)


BAD_TASKS = {
    "too large": {"http_request": {"url": "http://127.0.0.1:1/", "body": b"x" * 102_400}},
    "too far ahead": {"schedule_time": datetime.now(UTC) + timedelta(days=31)},
    "deadline too short": {"dispatch_deadline": timedelta(seconds=14)},
    "deadline too long": {"dispatch_deadline": timedelta(minutes=31)},
    "no scheme": {"http_request": {"url": "127.0.0.1:1/"}},
    "body with GET": {
        "http_request": {"url": "http://127.0.0.1:1/", "http_method": "GET", "body": b"x"}
    },
    "bad id": {"name": f"{QUEUE}/tasks/a b"},
    "other queue": {"name": f"{LOCATION}/queues/other/tasks/t"},
}


@pytest.mark.parametrize("fields", BAD_TASKS.values(), ids=BAD_TASKS.keys())
async def test_the_local_cloud_tasks_refuses_requests_that_the_real_service_refuses(client, fields):
    task = tasks_v2.Task({"http_request": {"url": "http://127.0.0.1:1/"}} | fields)
    with pytest.raises(exceptions.InvalidArgument):
        await client.create_task(parent=QUEUE, task=task)


async def test_a_request_for_a_missing_queue_raises_not_found(client):
    with pytest.raises(exceptions.NotFound):
        await client.create_task(parent=f"{LOCATION}/queues/none", task=tasks_v2.Task())


async def test_an_unnamed_task_gets_a_unique_name(client, worker):
    task = tasks_v2.Task(http_request={"url": worker.url})
    names = {(await client.create_task(parent=QUEUE, task=task)).name for _ in range(2)}
    assert len(names) == 2
    await worker.received(2)


async def test_a_missing_or_late_response_counts_as_a_failed_attempt(worker):
    async def never(_):
        return await asyncio.Event().wait()

    worker.respond = never
    async with http_client() as http:
        assert await send(http, http.build_request("POST", worker.url), 0.05) == TIMED_OUT
        unused = http.build_request("POST", "http://127.0.0.1:1/")
        assert await send(http, unused, DEADLINE_S) == UNREACHABLE


async def test_a_task_is_retried_until_its_worker_has_started(client):
    async with recording_worker() as down:
        url = down.url
    task = await client.create_task(parent=QUEUE, task=a_task(url))

    async def has_failed():
        state = await client.get_task(name=task.name)
        return state.dispatch_count >= 2 and state.response_count == 0

    await eventually(has_failed)
    await client.delete_task(name=task.name)


async def test_the_cloud_tasks_command_serves_its_queues_and_stops_promptly(worker):
    command = (sys.executable, "-m", "infra.local.cloud_tasks", "--port", "0", "--queue", QUEUE)
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    try:
        port = None
        async with asyncio.timeout(DEADLINE_S):
            while port is None:
                line = (await process.stderr.readline()).decode()
                assert line, "ended before it listened"
                if "listening on 127.0.0.1:" in line:
                    port = int(line.partition("127.0.0.1:")[2].partition(",")[0])
        sdk = sdk_client(port)
        queue = await sdk.get_queue(name=QUEUE)
        assert queue.retry_config.min_backoff == timedelta(seconds=1)
        assert queue.retry_config.max_backoff == timedelta(seconds=60)

        async def never(_):
            return await asyncio.Event().wait()

        worker.respond = never
        await sdk.create_task(parent=QUEUE, task=a_task(worker.url))
        await worker.received(1)
        process.send_signal(signal.SIGTERM)
        started_at = asyncio.get_running_loop().time()
        async with asyncio.timeout(DEADLINE_S):
            rest = (await process.stderr.read()).decode()
            assert await process.wait() == 0, rest
        assert asyncio.get_running_loop().time() - started_at < STOP_WITHIN_S
        assert "Traceback" not in rest
        await sdk.transport.close()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
