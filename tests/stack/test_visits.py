"""Visits run through the whole local stack: bucket, events, functions, tasks, listener."""

import asyncio
import json
from pathlib import Path

import httpx
import pytest
from google.cloud import tasks_v2

from infra.local.eventarc.event import finalized
from infra.local.stack import BUCKET, ENTRY_POINTS, QUEUE
from lumimd.adapters.google.tasks import client
from lumimd.domain.codes import ErrorCode
from lumimd.domain.state_machine import TRANSITIONS
from lumimd.domain.visit import Status
from tests.stack.conftest import JOB, Pipeline
from tests.support.services import SAMPLE, tone

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="session")]

CANARIES = ("kwijibo", "frobnitz", "zyzzyva")
DIALOGUE = [
    {"speaker": "A", "text": "Good morning, what brings you in today?"},
    {"speaker": "B", "text": f"I have had a {CANARIES[0]} pain for two weeks, doctor."},
    {"speaker": "A", "text": "I am going to start you on lisinopril, ten milligrams, once a day."},
    {"speaker": "B", "text": f"My neighbour {CANARIES[1]} takes that, and my {CANARIES[2]} too."},
    {"speaker": "A", "text": "Please come back in two weeks."},
]


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "audio.wav"
    path.write_bytes(tone(seconds=1))
    return path


async def test_a_visit_is_completed_and_its_words_appear_only_in_its_documents(
    pipeline: Pipeline, recording: Path
) -> None:
    visit_id = pipeline.new_visit()
    await pipeline.script(visit_id, utterances=DIALOGUE)
    tasks = client(pipeline.stack.plan.function_env["CLOUD_TASKS_EMULATOR_HOST"])
    await tasks.pause_queue(name=QUEUE)  # so that the test can read the task
    await pipeline.upload(recording, visit_id)
    asked = tasks_v2.ListTasksRequest(parent=QUEUE, response_view=tasks_v2.Task.View.FULL)
    async with asyncio.timeout(20):
        while not (found := [task async for task in await tasks.list_tasks(request=asked)]):
            await asyncio.sleep(0.1)  # the server has no event to wait for
    await tasks.resume_queue(name=QUEUE)
    await tasks.transport.close()
    visit = await pipeline.ended(visit_id)

    assert visit.status is Status.COMPLETED
    documents = await pipeline.documents(visit_id)
    assert [utterance.text for utterance in documents.transcript] == [u["text"] for u in DIALOGUE]
    elsewhere = pipeline.logged() + "".join(str(task) for task in found)
    elsewhere += json.dumps([entry.to_stored() for entry in documents.history], default=str)
    for word in (*CANARIES, "lisinopril"):
        assert word not in elsewhere
        assert word not in json.dumps([json.loads(t.http_request.body) for t in found])
    assert json.loads(found[0].http_request.body) == {"visitId": visit_id, "attempt": 1}


async def test_every_log_line_of_a_function_is_json_with_the_fields_for_searches(
    pipeline: Pipeline, recording: Path
) -> None:
    visit_id = pipeline.new_visit()
    await pipeline.upload(recording, visit_id)
    await pipeline.ended(visit_id)
    expected = {"audio_accepted", "transcript_stored", "summary_stored"}
    async with asyncio.timeout(10):  # the listener receives a commit before the function logs it
        while not expected <= {line["event"] for line in _lines_about(pipeline, visit_id)}:
            await asyncio.sleep(0.05)  # a file has no event to wait for
    lines = _lines_about(pipeline, visit_id)
    for line in lines:
        assert {"severity", "event", "timestamp", "visitId", "stage"} <= set(line)
        if line["event"] in {*(event.name for _, event in TRANSITIONS)}:
            assert {"attempt", "trace", "processingStatus"} <= set(line)
    assert len({line["trace"] for line in lines if "trace" in line}) == 1


def _lines_about(pipeline: Pipeline, visit_id: str) -> list[dict[str, str]]:
    logs = [pipeline.stack.run_dir / f"{entry_point}.log" for entry_point in ENTRY_POINTS]
    lines = [line for log in logs for line in log.read_text().splitlines()]
    return [json.loads(line) for line in lines if visit_id in line]


async def test_twenty_concurrent_deliveries_of_a_finalize_event_submit_one_paid_job(
    pipeline: Pipeline, recording: Path
) -> None:
    visit_id = pipeline.new_visit()
    name = await pipeline.upload(recording, visit_id)
    async with httpx.AsyncClient(timeout=60) as http:
        url = f"{pipeline.stack.plan.url('storage')}/storage/v1/b/{BUCKET}/o/"
        stored = (await http.get(url + name.replace("/", "%2F"))).json()
        event = finalized(stored, event_id="again", time=stored["timeCreated"])
        target = pipeline.stack.plan.function_url("on_audio_finalized")
        replies = await asyncio.gather(
            *(http.post(target, headers=event.headers, content=event.body) for _ in range(20))
        )
    assert {reply.status_code for reply in replies} == {200}
    assert (await pipeline.ended(visit_id)).status is Status.COMPLETED
    assert await pipeline.orders(visit_id) == 1


async def test_fifty_concurrent_webhooks_polls_and_tasks_cause_one_summary(
    pipeline: Pipeline, recording: Path
) -> None:
    visit_id = pipeline.new_visit()
    await pipeline.script(visit_id, delay_s=1.0, webhook=False)
    await pipeline.upload(recording, visit_id)
    plan = pipeline.stack.plan
    secret = {"X-LumiMD-Webhook-Secret": plan.function_env["WEBHOOK_SECRET"]}
    job_id = await _job_of(pipeline, visit_id, status="completed")
    async with httpx.AsyncClient(timeout=60) as http:

        async def webhook() -> httpx.Response:
            return await http.post(
                plan.function_url("on_transcription_webhook"),
                params={"visit": visit_id, "attempt": 1},
                json={"transcript_id": job_id, "status": "completed"},
                headers=secret,
            )

        async def task() -> httpx.Response:
            return await http.post(
                plan.function_url("summarize_visit"), json={"visitId": visit_id, "attempt": 1}
            )

        async def tick() -> httpx.Response:
            return await http.post(plan.function_url("wake_due_visits"))

        racers = [webhook() for _ in range(20)] + [tick() for _ in range(10)]
        replies = await asyncio.gather(*racers, *(task() for _ in range(20)))
    assert {reply.status_code for reply in replies} <= {200, 503}
    assert (await pipeline.ended(visit_id)).status is Status.COMPLETED
    documents = await pipeline.documents(visit_id)
    events = [entry.event for entry in documents.history]
    assert events.count("summary_claimed") == 1
    assert events.count("summary_stored") == 1
    assert tuple(action.action_id for action in documents.actions) == documents.visit.action_ids
    assert await pipeline.orders(visit_id) == 1


async def _job_of(pipeline: Pipeline, visit_id: str, status: str) -> str:
    async with asyncio.timeout(20):
        while True:
            jobs = (await pipeline.speech.get("/_local/jobs")).json()["jobs"]
            for job in jobs:
                if visit_id in job["audio_url"] and job["status"] == status:
                    return str(job["id"])
            await asyncio.sleep(0.1)


async def test_without_webhooks_the_poller_finishes_a_visit(
    pipeline: Pipeline, recording: Path
) -> None:
    visit_id = pipeline.new_visit()
    await pipeline.script(visit_id, webhook=False)
    await pipeline.upload(recording, visit_id)
    async with asyncio.timeout(80):
        assert (await pipeline.ended(visit_id)).status is Status.COMPLETED


async def test_without_the_poller_the_webhook_finishes_a_visit(
    pipeline: Pipeline, recording: Path
) -> None:
    await asyncio.to_thread(pipeline.scheduler.pause_job, name=JOB)
    try:
        visit_id = pipeline.new_visit()
        await pipeline.upload(recording, visit_id)
        async with asyncio.timeout(20):
            assert (await pipeline.ended(visit_id)).status is Status.COMPLETED
    finally:
        await asyncio.to_thread(pipeline.scheduler.resume_job, name=JOB)


async def test_a_ten_hour_visit_is_completed_with_every_document_under_one_mebibyte(
    pipeline: Pipeline, recording: Path
) -> None:
    visit_id = pipeline.new_visit()
    await pipeline.script(visit_id, hours=10)
    await pipeline.upload(recording, visit_id)
    async with asyncio.timeout(120):
        visit = await pipeline.ended(visit_id)
    assert visit.status is Status.COMPLETED
    documents = await pipeline.documents(visit_id)
    assert documents.transcript[-1].end_ms > 9.9 * 3_600_000
    assert visit.transcript_pages > 1
    assert len(json.dumps(visit.to_stored(), default=str)) < 1024**2
    for page in range(visit.transcript_pages):
        of_page = [u.to_stored() for u in documents.transcript[page :: visit.transcript_pages]]
        assert len(json.dumps(of_page)) < 1024**2


BAD_RECORDINGS = {
    "empty.m4a": (b"", ErrorCode.AUDIO_EMPTY),
    "picture.m4a": (b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(5_000), ErrorCode.AUDIO_UNREADABLE),
    "truncated.m4a": (
        SAMPLE.read_bytes()[: SAMPLE.stat().st_size // 2],
        ErrorCode.AUDIO_TRUNCATED,
    ),
    "short.wav": (tone(seconds=0.1), ErrorCode.AUDIO_TOO_SHORT),
    "пустой файл (1).m4a": (b"", ErrorCode.AUDIO_EMPTY),
}


@pytest.mark.parametrize("name", BAD_RECORDINGS)
async def test_a_bad_recording_fails_with_its_code_and_reaches_no_provider(
    pipeline: Pipeline, tmp_path: Path, name: str
) -> None:
    content, code = BAD_RECORDINGS[name]
    recording = tmp_path / name
    recording.write_bytes(content)
    visit_id = pipeline.new_visit()
    await pipeline.upload(recording, visit_id)
    visit = await pipeline.ended(visit_id)
    assert visit.processing_error
    assert (visit.status, visit.processing_error.code) == (Status.FAILED, code)
    assert await pipeline.orders(visit_id) == 0


async def test_uploaded_objects_outside_of_recording_paths_are_ignored(
    pipeline: Pipeline, recording: Path
) -> None:
    upload = pipeline.stack.client.upload
    stray = pipeline.new_visit()
    for name in (
        f"{stray}.wav",
        f"redacted/demo-user/{stray}/audio.wav",
        f"visits/demo-user/{stray}.wav",
        f"visits/demo-user/../{stray}/audio.wav",
        f"visits/demo-user/{stray}/summary.json",
    ):
        await upload(recording, name)
    visit_id = pipeline.new_visit()
    await pipeline.upload(recording, visit_id, name="ein Besuch – визит.wav")
    assert (await pipeline.ended(visit_id)).status is Status.COMPLETED
    assert await pipeline.orders(stray) == 0
    assert stray not in "".join(
        (pipeline.stack.run_dir / "on_audio_finalized.log").read_text().splitlines()
    )


async def test_a_webhook_without_the_secret_gets_401(pipeline: Pipeline) -> None:
    url = pipeline.stack.plan.function_url("on_transcription_webhook")
    async with httpx.AsyncClient() as http:
        for headers in ({}, {"X-LumiMD-Webhook-Secret": "guessed"}):
            answer = await http.post(f"{url}?visit=v&attempt=1", json={}, headers=headers)
            assert answer.status_code == 401
