"""A web client listens to a visit under the security rules, also after a lost connection."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from google.cloud import tasks_v2

from infra.local.client import USER_ID
from infra.local.stack import PROJECT, QUEUE, ROOT
from infra.local.supervision.ports import LOOPBACK
from infra.node import installed, node
from lumimd.adapters.google.tasks import client
from lumimd.domain.progress import Step
from lumimd.domain.visit import ProcessingStatus, Status
from tests.stack.conftest import Pipeline
from tests.support.servers import skipped_without_emulators
from tests.support.services import tone
from tests.support.wire import Wire, wire_to

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="session")]

P = ProcessingStatus
PATIENCE_S = 60  # a client with a lost connection reconnects after up to about ten seconds


@dataclass
class Listener:
    """The updates that a JavaScript client has received so far."""

    seen: list[dict[str, Any]] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    ended: bool = False

    async def until(self, status: ProcessingStatus) -> dict[str, Any]:
        """Wait for the first update with this status, and return it."""
        return await self.until_one(lambda update: update["processingStatus"] == status)

    async def until_one(self, is_it: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                for update in self.seen:
                    assert "error" not in update, update
                    if is_it(update):
                        return update
                assert not self.ended, "the client has ended; its errors are above"
                self.news.clear()
                await self.news.wait()

    @property
    def statuses(self) -> list[str]:
        """The received statuses in order, without consecutive duplicates."""
        statuses = [update["processingStatus"] for update in self.seen]
        return [
            status for before, status in pairwise([None, *statuses]) if status and before != status
        ]

    async def read(self, lines: asyncio.StreamReader) -> None:
        async for line in lines:
            self.seen.append(json.loads(line))
            self.news.set()
        self.ended = True
        self.news.set()


@asynccontextmanager
async def listening(wire: Wire, visit_id: str) -> AsyncIterator[Listener]:
    """Start a JavaScript client that creates the visit and listens to it over the wire."""
    about = {"project": PROJECT, "host": LOOPBACK, "port": wire.port}
    about |= {"userId": USER_ID, "visitId": visit_id}
    process = await asyncio.create_subprocess_exec(
        *(str(node()), str(ROOT / "tests" / "clients" / "listener.js"), json.dumps(about)),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout
    assert process.stdin
    listener = Listener()
    reading = asyncio.create_task(listener.read(process.stdout))
    try:
        await listener.until_one(lambda update: update.get("tags") == ["heart"])
        yield listener
    finally:
        process.stdin.close()
        try:
            async with asyncio.timeout(10):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
        await reading


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "audio.wav"
    path.write_bytes(tone(seconds=1))
    return path


@pytest.fixture(scope="module", autouse=True)
def _node() -> None:
    with skipped_without_emulators():
        installed()
        node()


async def test_a_listening_client_receives_every_status_in_order(
    pipeline: Pipeline, recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    visit_id = pipeline.new_visit()
    await pipeline.script(visit_id, webhook=False)
    async with (
        wire_to(pipeline.stack.plan.ports["firestore"]) as wire,
        listening(wire, visit_id) as listener,
        paused_tasks(pipeline) as resume_tasks,
    ):
        assert listener.statuses == [P.PENDING]
        await pipeline.upload(recording, visit_id)
        await listener.until(P.TRANSCRIBING)
        await announce_transcript(pipeline, visit_id)
        await listener.until(P.SUMMARIZING)
        await resume_tasks()
        last = await listener.until(P.COMPLETED)

    assert listener.statuses == [P.PENDING, P.TRANSCRIBING, P.SUMMARIZING, P.COMPLETED]
    assert (last["status"], last["progressPercent"]) == (Status.COMPLETED, 100)
    assert (last["title"], last["tags"]) == ("Check-up", ["heart"])
    assert last["summary"]
    percents = [
        update["progressPercent"] or 0 for update in listener.seen if "currentStep" in update
    ]
    assert percents == sorted(percents)
    steps = [update["currentStep"] for update in listener.seen if update.get("currentStep")]
    assert [*dict.fromkeys(steps)] == [step for step in Step if step in steps]
    # The delays are printed and not asserted, because they depend on the load of the machine. They
    # start at the timestamp that a function sets just before it saves. The listener's own writes
    # are excluded.
    delays = [
        round(update["receivedAt"] - update["updatedAt"])
        for update in listener.seen
        if update.get("currentStep")
    ]
    with capsys.disabled():
        print(f" {len(delays)} updates after {', '.join(map(str, delays))} ms", end="")


@pytest.mark.parametrize("during", [P.PENDING, P.TRANSCRIBING])
async def test_a_client_receives_the_final_status_after_its_connection_was_cut(
    pipeline: Pipeline, recording: Path, during: ProcessingStatus
) -> None:
    visit_id = pipeline.new_visit()
    await pipeline.script(visit_id, webhook=False)
    async with (
        wire_to(pipeline.stack.plan.ports["firestore"]) as wire,
        listening(wire, visit_id) as listener,
    ):
        if during is P.PENDING:
            await wire.cut()
            await pipeline.upload(recording, visit_id)
        else:
            await pipeline.upload(recording, visit_id)
            await listener.until(P.TRANSCRIBING)
            await wire.cut()
        before = wire.connections
        await announce_transcript(pipeline, visit_id)
        assert (await pipeline.ended(visit_id)).status is Status.COMPLETED
        assert P.COMPLETED not in listener.statuses  # the client really was offline

        await wire.mend()
        assert (await listener.until(P.COMPLETED))["summary"]
        assert wire.connections > before
    assert not [update for update in listener.seen if "error" in update]
    order = [P.PENDING, P.TRANSCRIBING, P.SUMMARIZING, P.COMPLETED]
    assert listener.statuses == [status for status in order if status in listener.statuses]


@asynccontextmanager
async def paused_tasks(pipeline: Pipeline) -> AsyncIterator[Callable[[], Any]]:
    """Pause the task queue, so that no summary begins until the yielded function is called."""
    tasks = client(pipeline.stack.plan.function_env["CLOUD_TASKS_EMULATOR_HOST"])
    await tasks.pause_queue(name=QUEUE)

    async def resume() -> None:
        await tasks.resume_queue(request=tasks_v2.ResumeQueueRequest(name=QUEUE))

    try:
        yield resume
    finally:
        await resume()
        await tasks.transport.close()


async def announce_transcript(pipeline: Pipeline, visit_id: str) -> None:
    """Send the webhook in the provider's place, so that the test chooses the moment."""
    plan = pipeline.stack.plan
    async with asyncio.timeout(PATIENCE_S), httpx.AsyncClient(timeout=30) as http:
        while not (job := await _finished_job(pipeline, visit_id)):
            await asyncio.sleep(0.05)  # the server has no event to wait for
        answer = await http.post(
            plan.function_url("on_transcription_webhook"),
            params={"visit": visit_id, "attempt": 1},
            json={"transcript_id": job, "status": "completed"},
            headers={"X-LumiMD-Webhook-Secret": plan.function_env["WEBHOOK_SECRET"]},
        )
    assert answer.status_code == 200


async def _finished_job(pipeline: Pipeline, visit_id: str) -> str | None:
    jobs = (await pipeline.speech.get("/_local/jobs")).json()["jobs"]
    for job in jobs:
        if visit_id in job["audio_url"] and job["status"] == "completed":
            return str(job["id"])
    return None
