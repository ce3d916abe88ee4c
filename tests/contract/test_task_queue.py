"""The contract of `TaskQueue`: one suite for the memory adapter and for Cloud Tasks' SDK."""

import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import pytest
from google.cloud import tasks_v2

from lumimd.adapters.google.tasks import CloudTaskQueue, client
from lumimd.adapters.memory import MemoryTaskQueue
from lumimd.domain.errors import Transient
from lumimd.policies import retry
from lumimd.ports.task_queue import TaskQueue

URL = "http://127.0.0.1:9/unreachable"


@dataclass
class Queue:
    tasks: TaskQueue
    count: Callable[[str], Awaitable[int]]
    waiting: Callable[[str], Awaitable[int]]


@pytest.fixture(params=["memory", "cloud_tasks"])
async def queue(request: pytest.FixtureRequest) -> AsyncIterator[Queue]:
    if request.param == "memory":
        memory = MemoryTaskQueue()

        async def count(visit_id: str) -> int:
            return sum(task.visit_id == visit_id for task in memory.created)

        async def waiting(visit_id: str) -> int:
            tasks = [memory.waiting.get_nowait() for _ in range(memory.waiting.qsize())]
            return sum(task.visit_id == visit_id for task in tasks)

        yield Queue(memory, count, waiting)
        return
    sdk, name = await paused_queue(request.getfixturevalue("tasks_host"))

    async def count_bodies(visit_id: str) -> int:
        return sum(body["visitId"] == visit_id for body in await bodies(sdk, name))

    yield Queue(adapter(sdk, name), count_bodies, count_bodies)
    await sdk.delete_queue(name=name)
    await sdk.transport.close()


async def paused_queue(host: str) -> tuple[tasks_v2.CloudTasksAsyncClient, str]:
    sdk = client(host)
    parent = "projects/demo-lumimd/locations/us-central1"
    name = f"{parent}/queues/q-{uuid.uuid4().hex}"
    await sdk.create_queue(parent=parent, queue=tasks_v2.Queue(name=name))
    await sdk.pause_queue(name=name)
    return sdk, name


def adapter(sdk: tasks_v2.CloudTasksAsyncClient, name: str) -> CloudTaskQueue:
    return CloudTaskQueue(sdk, queue=name, summarize_url=URL, service_account="t@lumimd.invalid")


async def bodies(sdk: tasks_v2.CloudTasksAsyncClient, name: str) -> list[dict[str, object]]:
    return [json.loads(task.http_request.body) for task in await _listed(sdk, name)]


async def _listed(sdk: tasks_v2.CloudTasksAsyncClient, name: str) -> list[tasks_v2.Task]:
    asked = tasks_v2.ListTasksRequest(parent=name, response_view=tasks_v2.Task.View.FULL)
    return [task async for task in await sdk.list_tasks(request=asked)]


async def test_requesting_a_task_with_the_same_ids_creates_one_task(queue: Queue) -> None:
    for _ in range(3):
        await queue.tasks.request_summary("v1", 1, 1)
    assert await queue.count("v1") == 1


async def test_each_visit_attempt_and_request_gets_a_separate_task(queue: Queue) -> None:
    await queue.tasks.request_summary("v1", 1, 1)
    await queue.tasks.request_summary("v1", 1, 2)
    await queue.tasks.request_summary("v1", 2, 1)
    await queue.tasks.request_summary("v2", 1, 1)
    assert (await queue.count("v1"), await queue.count("v2")) == (3, 1)


async def test_a_task_holds_only_ids_and_has_an_opaque_name(tasks_host: str) -> None:
    sdk, name = await paused_queue(tasks_host)
    await adapter(sdk, name).request_summary("visit-7", 2, 1)
    (task,) = await _listed(sdk, name)
    assert json.loads(task.http_request.body) == {"visitId": "visit-7", "attempt": 2}
    assert "visit-7" not in task.name
    assert len(task.name.rpartition("/")[2]) == 64
    assert task.http_request.oidc_token.service_account_email == "t@lumimd.invalid"
    assert task.http_request.oidc_token.audience == URL
    await sdk.transport.close()


async def test_an_unreachable_queue_is_transient(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        retry,
        "TASKS",
        retry.RetryPolicy(attempts=2, timeout_s=0.5, initial_s=0.01, max_wait_s=1, jitter_s=0.01),
    )
    sdk = client("127.0.0.1:9")
    with pytest.raises(Transient):
        await adapter(sdk, "projects/p/locations/l/queues/q").request_summary("v1", 1, 1)
    await sdk.transport.close()


async def test_only_the_named_waiting_task_is_deleted(queue: Queue) -> None:
    await queue.tasks.request_summary("v1", 1, 1)
    await queue.tasks.request_summary("v1", 1, 2)
    assert await queue.tasks.forget("v1", 1, 1)
    assert not await queue.tasks.forget("v1", 1, 1), "once is enough"
    assert not await queue.tasks.forget("v2", 1, 1)
    assert await queue.waiting("v1") == 1
