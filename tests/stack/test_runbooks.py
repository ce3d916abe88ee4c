"""Each runbook's commands, run in a shell on the whole local stack, correct a real fault."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from infra.local.client import USER_ID
from infra.local.stack import PROJECT, QUEUE, ROOT
from infra.ops.connection import Connection, local
from infra.ops.local_stack import Addresses, published
from lumimd.domain.codes import ErrorCode
from lumimd.domain.commit import Commit
from lumimd.domain.events import SummaryFailed
from lumimd.domain.visit import ProcessingStatus, Status
from lumimd.operations.operator import OperatorServices
from lumimd.pipeline.save import save_event
from lumimd.ports.service_controls import RunState
from tests.monitoring.runbooks import FOLDER, SECTIONS, blocks
from tests.stack.conftest import JOB, Pipeline
from tests.support.services import tone

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="session")]

SCHEDULE, SUMMARIES = JOB.rpartition("/")[2], QUEUE.rpartition("/")[2]
CAUSE, REMEDY, OVER = SECTIONS[1:]
DOCUMENTS = f"/emulator/v1/projects/{PROJECT}/databases/(default)/documents"
PATIENCE_S = 60


@dataclass
class Shift:
    """An operator's shell on the stack; `words` replace placeholders in capitals in a command."""

    pipeline: Pipeline
    services: OperatorServices
    folder: Path

    async def typed(self, text: str, words: Mapping[str, str]) -> tuple[int, str]:
        """Run a block of commands, or a single line; return the exit code and the output."""
        for word, value in words.items():
            text = re.sub(rf"\b{word}\b", value, text)
        shell = await asyncio.create_subprocess_exec(
            *("bash", "-euo", "pipefail", "-c", text),
            cwd=self.folder,
            env={**os.environ, "COLUMNS": "80"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        printed, _ = await shell.communicate()
        assert shell.returncode is not None
        return shell.returncode, printed.decode()

    async def uploaded(self, **script: object) -> str:
        """Upload a recording that the provider transcribes by `script`; return the visit id."""
        visit_id = self.pipeline.new_visit()
        await self.pipeline.script(visit_id, **script)
        recording = self.folder / "audio.wav"
        recording.write_bytes(tone(seconds=1))
        await self.pipeline.upload(recording, visit_id)
        return visit_id

    async def until(self, visit_id: str, *wanted: ProcessingStatus) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                stored = await self.services.store.get(visit_id)
                if stored is not None and stored.visit.processing_status in wanted:
                    return
                await asyncio.sleep(0.2)  # the store has no event to wait for here

    async def twenty_minutes_pass(self, visit_id: str) -> None:
        """Move the visit's times back by 20 minutes, so that the visit counts as stuck."""
        stored = await self.services.store.get(visit_id)
        assert stored is not None
        ago = self.services.clock.now() - timedelta(minutes=20)
        visit = stored.visit.model_copy(update={"updated_at": ago, "wake_at": ago})
        await self.services.store.save(stored, Commit(visit))


@pytest_asyncio.fixture(loop_scope="session")
async def shift(
    pipeline: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Shift]:
    """A shell on a stack without visits; afterwards, paused schedules and queues are resumed."""
    env = pipeline.stack.plan.function_env
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    async with httpx.AsyncClient(base_url=f"http://{env['FIRESTORE_EMULATOR_HOST']}") as emulator:
        await emptied(emulator)
    run = pipeline.stack.run_dir.name
    addresses = Addresses(run, os.getpid(), False, dict(env), {})
    made: Connection = local(addresses)
    program = tmp_path / "scripts" / "ops"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {ROOT}/scripts/ops --local --run {run} --yes "$@"\n')
    program.chmod(0o755)
    with published(addresses, pipeline.stack.run_dir):
        yield Shift(pipeline, made.services, tmp_path)
    for schedule in await made.services.schedules.all():
        if schedule.state is RunState.PAUSED:
            await made.services.schedules.resume(schedule.name)
    for queue in await made.services.queues.all():
        if queue.state is RunState.PAUSED:
            await made.services.queues.resume(queue.name)


async def emptied(emulator: httpx.AsyncClient) -> None:
    """Delete all documents; retry, because the emulator refuses to during a transaction."""
    for _ in range(20):
        reply = await emulator.delete(DOCUMENTS)
        if reply.status_code == 200:
            return
        await asyncio.sleep(0.5)
    raise AssertionError(f"documents are still there: {reply.status_code}")


Words = Mapping[str, str]


async def schedule_paused(shift: Shift) -> Words:
    await shift.services.schedules.pause(SCHEDULE)
    visit_id = await shift.uploaded(utterances=[{"text": "Good morning."}], webhook=False)
    await shift.until(visit_id, ProcessingStatus.TRANSCRIBING)
    await shift.twenty_minutes_pass(visit_id)
    return {"VISIT": visit_id}


async def queue_paused(shift: Shift) -> Words:
    await shift.services.queues.pause(SUMMARIES)
    visit_id = await shift.uploaded(utterances=[{"text": "Good morning."}])
    await shift.until(visit_id, ProcessingStatus.SUMMARIZING)
    return {"VISIT": visit_id}


async def two_dead_letters(shift: Shift) -> Words:
    silent = await shift.uploaded(utterances=[])
    assert (await shift.pipeline.ended(silent)).status is Status.FAILED
    given_up = (await queue_paused(shift))["VISIT"]
    stored = await shift.services.store.get(given_up)
    assert stored is not None
    await save_event(shift.services, stored, SummaryFailed(1, ErrorCode.SUMMARY_UNAVAILABLE))
    await shift.services.queues.resume(SUMMARIES)
    return {"VISIT": given_up, "OTHER_VISIT": silent}


async def visits_of_a_user(shift: Shift) -> Words:
    ids = [await shift.uploaded(utterances=[{"text": "Good morning."}]) for _ in range(3)]
    for visit_id in ids:
        await shift.pipeline.ended(visit_id)
    return {"VISIT": ids[0], "UID": USER_ID}


FAULTS: Mapping[str, tuple[Callable[[Shift], Awaitable[Words]], int]] = {
    "nothing-ran": (schedule_paused, 1),
    "queue-backlog": (queue_paused, 0),
    "dead-letter": (two_dead_letters, 0),
    "data-deletion-request": (visits_of_a_user, 0),
}
"""The fault of each runbook, and the exit code of the doctor command during it."""


@pytest.mark.parametrize("name", FAULTS)
async def test_the_shell_commands_of_a_runbook_correct_its_fault_on_the_stack(
    name: str, shift: Shift
) -> None:
    fault, doctor = FAULTS[name]
    words = await fault(shift)
    printed = ""
    for block in blocks(FOLDER / f"{name}.md"):
        if block.cloud_only:
            continue
        if block.section == OVER:
            printed = ""
            if name != "data-deletion-request":
                await shift.pipeline.ended(words["VISIT"])
        for text in [block.text] if block.is_script else block.lines:
            code, said = await shift.typed(text, words)
            is_doctor = text == "scripts/ops doctor" and block.section == CAUSE
            assert code == (doctor if is_doctor else 0), f"{text}: {code}\n{said}"
            printed += said
    assert "paused" not in printed
    assert await shift.services.operators.stuck(shift.services.clock.now(), 10) == []
    if name == "data-deletion-request":
        assert await shift.services.store.get(words["VISIT"]) is None
    else:
        assert (await shift.pipeline.ended(words["VISIT"])).status is Status.COMPLETED
