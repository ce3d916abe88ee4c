"""The commands of each runbook, one after the other, on a stack with failed and healthy visits."""

import io
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from rich.console import Console

from infra.local.stack import QUEUE
from infra.ops.cli import parser, run
from infra.ops.connection import Connection, local
from infra.ops.local_stack import Addresses
from lumimd.operations.controls import RunState
from lumimd.records import Status
from tests.monitoring.runbooks import commands, runbooks
from tests.stack.conftest import JOB, Pipeline
from tests.support.parts import tone

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="session")]

SAYS_SO = {
    # 1 is no failure of the command: something is wrong with what it looks at, or what it would
    # change is refused in a sentence. A runbook names all that may be needed, on any visit.
    "bulk-retry",
    "delete",
    "discard",
    "doctor",
    "rerun",
    "retry",
    "schedule",
    "show",
}


@pytest_asyncio.fixture(loop_scope="session")
async def connection(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Connection]:
    """To the stack; what a runbook leaves paused runs again afterwards."""
    env = pipeline.stack.plan.function_env
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    made = local(Addresses("test", os.getpid(), False, dict(env), {}))
    parts = made.parts
    yield made
    for schedule in await parts.schedules.all():
        if schedule.state is RunState.PAUSED:
            await parts.schedules.resume(schedule.name)
    for queue in await parts.queues.all():
        if queue.state is RunState.PAUSED:
            await parts.queues.resume(queue.name)


@pytest.mark.parametrize("path", runbooks(), ids=lambda path: path.stem)
async def test_the_commands_of_a_runbook_run(
    path: Path, pipeline: Pipeline, connection: Connection, tmp_path: Path
) -> None:
    visit_id = await _failed_visit(pipeline, tmp_path)
    if _first_change(path, "schedule") == "resume":  # then somebody has paused it
        await connection.parts.schedules.pause(JOB.rpartition("/")[2])
    if _first_change(path, "queues") == "resume":
        await connection.parts.queues.pause(QUEUE.rpartition("/")[2])
    ran = 0
    for command in commands(path):
        if command.cloud_only:
            continue
        arguments = command.arguments(VISIT=visit_id, UID="user-1", CODE="no_speech")
        if arguments[0] == "bulk-retry":  # every failed visit of every test before is in this stack
            arguments = [*arguments, "--per-minute", "6000"]
        wanted = parser().parse_args(["--yes", "--local", *arguments])
        told = io.StringIO()
        code = await run(wanted, connection, "operator-1", Console(file=told, width=200))
        said = f"{command.line}: {code}, {told.getvalue()}"
        assert code == 0 or (code == 1 and arguments[0] in SAYS_SO), said
        ran += 1
    assert ran


def _first_change(path: Path, what: str) -> str | None:
    """Whether a runbook begins with a pause or with its end."""
    arguments = [command.arguments() for command in commands(path) if not command.cloud_only]
    changes = [each[1] for each in arguments if each[0] == what and len(each) == 3]
    return next((change for change in changes if change != "run"), None)


async def _failed_visit(pipeline: Pipeline, folder: Path) -> str:
    recording = folder / "audio.wav"
    recording.write_bytes(tone(seconds=1))
    visit_id = pipeline.new_visit()
    await pipeline.script(visit_id, utterances=[])
    await pipeline.upload(recording, visit_id)
    assert (await pipeline.ended(visit_id)).status is Status.FAILED
    return visit_id
