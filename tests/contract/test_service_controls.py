"""The contract of `QueueControl` and `ScheduleControl`: memory, and SDKs on local servers."""

import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from infra.local.supervision.ports import free_ports
from infra.local.supervision.processes import Process
from infra.local.supervision.ready import port_open
from lumimd.adapters.memory.controls import MemoryQueues, MemorySchedules
from lumimd.domain.codes import OperatorCode
from lumimd.domain.errors import OperatorRefused
from lumimd.ports.service_controls import QueueControl, RunState, ScheduleControl
from tests.conftest import QUEUE
from tests.support.servers import running

ROOT = Path(__file__).parents[2]
LOCATION, _, NAME = QUEUE.partition("/queues/")


@pytest.fixture(scope="module")
def scheduler_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start the local Cloud Scheduler server with one job that runs only on 1 January."""
    (port,) = free_ports({"scheduler": 0}).values()
    job = ("--job", "wake=http://127.0.0.1:9/", "--schedule", "0 0 1 1 *")
    argv = (sys.executable, "-m", "infra.local.scheduler", "--port", str(port), *job)
    server = Process(name="scheduler", argv=argv, cwd=ROOT, ready=port_open(port))
    with running([server], tmp_path_factory.mktemp("scheduler")):
        yield f"127.0.0.1:{port}"


@pytest.fixture(params=["memory", "cloud tasks"])
async def queues(request: pytest.FixtureRequest) -> AsyncIterator[QueueControl]:
    if request.param == "memory":
        yield MemoryQueues(NAME)
        return
    from lumimd.adapters.google.task_queues import CloudTasksQueues
    from lumimd.adapters.google.tasks import client

    sdk = client(request.getfixturevalue("tasks_host"))
    control = CloudTasksQueues(sdk, LOCATION)
    yield control
    await control.resume(NAME)  # the server is shared
    await sdk.transport.close()


@pytest.fixture(params=["memory", "cloud scheduler"])
async def schedules(request: pytest.FixtureRequest) -> AsyncIterator[ScheduleControl]:
    if request.param == "memory":
        yield MemorySchedules("wake")
        return
    from lumimd.adapters.google.scheduler import CloudSchedules, client

    sdk = client(request.getfixturevalue("scheduler_host"))
    yield CloudSchedules(sdk, LOCATION)
    await sdk.transport.close()


async def test_a_queue_is_listed_paused_and_resumed(queues: QueueControl) -> None:
    (queue,) = await queues.all()
    assert (queue.name, queue.state) == (NAME, RunState.RUNNING)
    assert (await queues.pause(NAME)).state is RunState.PAUSED
    (queue,) = await queues.all()
    assert queue.state is RunState.PAUSED
    assert (await queues.resume(NAME)).state is RunState.RUNNING


async def test_a_queue_that_does_not_exist_is_refused(queues: QueueControl) -> None:
    for change in (queues.pause, queues.resume):
        with pytest.raises(OperatorRefused) as refused:
            await change("nothing")
        assert refused.value.code is OperatorCode.NO_SUCH_QUEUE


async def test_a_scheduled_call_is_listed_run_paused_and_resumed(
    schedules: ScheduleControl,
) -> None:
    (schedule,) = await schedules.all()
    assert (schedule.name, schedule.state) == ("wake", RunState.RUNNING)
    assert (await schedules.run("wake")).name == "wake"
    assert (await schedules.pause("wake")).state is RunState.PAUSED
    (schedule,) = await schedules.all()
    assert schedule.state is RunState.PAUSED
    assert (await schedules.resume("wake")).state is RunState.RUNNING


async def test_pausing_and_resuming_are_idempotent(schedules: ScheduleControl) -> None:
    assert (await schedules.resume("wake")).state is RunState.RUNNING
    for _ in range(2):
        assert (await schedules.pause("wake")).state is RunState.PAUSED
    for _ in range(2):
        assert (await schedules.resume("wake")).state is RunState.RUNNING


async def test_a_scheduled_call_that_does_not_exist_is_refused(
    schedules: ScheduleControl,
) -> None:
    for change in (schedules.run, schedules.pause, schedules.resume):
        with pytest.raises(OperatorRefused) as refused:
            await change("nothing")
        assert refused.value.code is OperatorCode.NO_SUCH_SCHEDULE


async def test_tasks_of_a_paused_queue_are_counted(
    tasks_host: str,
) -> None:
    from lumimd.adapters.google.task_queues import CloudTasksQueues
    from lumimd.adapters.google.tasks import CloudTaskQueue, client

    sdk = client(tasks_host)
    control = CloudTasksQueues(sdk, LOCATION)
    before = (await control.pause(NAME)).waiting
    tasks = CloudTaskQueue(
        sdk,
        queue=QUEUE,
        summarize_url="http://127.0.0.1:9/summarize_visit",
        service_account="pipeline@demo.invalid",
    )
    for number in range(3):
        await tasks.request_summary("paused", number, 1)
    (queue,) = await control.all()
    assert queue.waiting == before + 3
    assert queue.oldest_created_at is not None
    for number in range(3):
        await tasks.forget("paused", number, 1)
    await control.resume(NAME)
    await sdk.transport.close()
