"""The speech server as the real AssemblyAI SDK sees it, in scripted mode."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from assemblyai import AsyncClient, Settings
from assemblyai.prerecorded.v2 import async_api
from assemblyai.types import (
    AssemblyAIError,
    ListTranscriptParameters,
    RawTranscriptionConfig,
    TranscriptError,
    TranscriptRequest,
    TranscriptResponse,
)
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from infra.local.speech.params import KNOWN_FIELDS
from infra.local.speech.scripts import HttpFault, Script, SpokenLine
from infra.local.speech.testing import RunningServer, scripted_server, serving

AUDIO = "http://127.0.0.1:9/visits/u1/v1/audio.m4a?signature=secret"
HOUR_S = 3600.0  # a job this slow never ends within a test


# One event loop and one server for the module; each test begins with a reset.
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def running() -> AsyncIterator[RunningServer]:
    async with scripted_server() as started:
        yield started


@pytest_asyncio.fixture(loop_scope="module")
async def server(running: RunningServer) -> RunningServer:
    await running.state.reset()
    return running


@asynccontextmanager
async def sdk(server: RunningServer) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(settings=Settings(api_key="any", base_url=server.url)) as client:
        yield client


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def connected(running: RunningServer) -> AsyncIterator[AsyncClient]:
    async with sdk(running) as client:
        yield client


@pytest.fixture
def client(server: RunningServer, connected: AsyncClient) -> AsyncClient:
    """Depends on `server` so that no test goes without the reset."""
    return connected


async def submitted(client: AsyncClient, audio_url: str = AUDIO, **options: Any) -> str:
    request = TranscriptRequest(audio_url=audio_url, **options)
    created = await async_api.create_transcript(client.http_client, request)
    assert created.id is not None
    return created.id


async def finished(
    server: RunningServer, client: AsyncClient, audio_url: str = AUDIO, **options: Any
) -> TranscriptResponse:
    job_id = await submitted(client, audio_url, **options)
    await server.settled()
    return await async_api.get_transcript(client.http_client, job_id)


@dataclass
class Receiver:
    """A webhook endpoint: answers with `answers` in turn, then 200; keeps what it was sent."""

    answers: list[int] = field(default_factory=list)
    received: list[tuple[dict[str, str], Any]] = field(default_factory=list)
    url: str = ""

    async def hook(self, request: Request) -> Response:
        self.received.append((dict(request.headers), await request.json()))
        return Response(status_code=self.answers.pop(0) if self.answers else 200)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def receiving() -> AsyncIterator[Receiver]:
    hook = Receiver()
    app = Starlette(routes=[Route("/hook", hook.hook, methods=["POST"])])
    async with serving(app) as url:
        hook.url = f"{url}/hook?visit=v1"
        yield hook


@pytest.fixture
def receiver(receiving: Receiver) -> Receiver:
    receiving.answers.clear()
    receiving.received.clear()
    return receiving


class TestJobs:
    async def test_a_visit_comes_back_with_two_speakers(self, server, client):
        done = await finished(server, client, speaker_labels=True, language_detection=True)
        assert done.status == "completed"
        assert done.utterances is not None
        assert {each.speaker for each in done.utterances} == {"A", "B"}
        assert len(done.utterances) == 12
        assert done.words is not None
        assert [w.text for u in done.utterances for w in u.words] == [w.text for w in done.words]
        assert all(word.start < word.end for word in done.words)
        assert done.text == " ".join(each.text for each in done.utterances)
        assert done.language_code == "en"
        assert done.audio_duration == round(done.words[-1].end / 1000)

    async def test_without_speaker_labels_there_are_no_utterances(self, server, client):
        done = await finished(server, client)
        assert done.utterances is None
        assert done.words is not None
        assert {word.speaker for word in done.words} == {None}
        assert done.language_code == "en_us"

    async def test_jobs_beyond_the_concurrency_wait_in_the_queue(self, server, client):
        server.script(Script(delay_s=HOUR_S))
        ids = [await submitted(client) for _ in range(3)]
        states = [await async_api.get_transcript(client.http_client, each) for each in ids]
        assert [state.status for state in states] == ["processing", "processing", "queued"]

    async def test_a_script_speaks_for_the_submissions_it_matches(self, server, client):
        line = SpokenLine(speaker="B", text="Take it daily.", start=500, end=2000, confidence=0.5)
        server.script(Script(match="/v7/", utterances=[line]))
        other = await finished(server, client, speaker_labels=True)
        mine = await finished(
            server, client, "http://127.0.0.1:9/visits/u1/v7/audio.m4a", speaker_labels=True
        )
        assert other.text != "Take it daily."
        assert mine.utterances is not None
        (utterance,) = mine.utterances
        assert (utterance.speaker, utterance.start, utterance.end) == ("B", 500, 2000)
        assert mine.confidence == 0.5

    async def test_ten_hours_are_numbered_lines_in_order(self, server, client):
        server.script(Script(hours=10))
        done = await finished(server, client, speaker_labels=True)
        assert done.audio_duration == pytest.approx(36_000, abs=30)
        assert done.utterances is not None
        numbers = [int(each.text.split()[-1].rstrip(".")) for each in done.utterances]
        assert numbers == list(range(1, len(numbers) + 1))
        assert len(numbers) > 4000

    async def test_a_script_with_times_is_used_up(self, server, client):
        server.script(Script(error="broken", times=1))
        first = await finished(server, client)
        second = await finished(server, client)
        assert [first.status, second.status] == ["error", "completed"]


class TestFailures:
    async def test_silence_below_the_threshold_is_an_error(self, server, client):
        server.script(Script(silence=True))
        done = await finished(server, client, speech_threshold=0.5)
        assert done.error == (
            "Audio speech threshold 0.0 is below the requested speech threshold value 0.5"
        )
        assert done.text is None

    async def test_silence_without_a_threshold_completes_empty(self, server, client):
        server.script(Script(silence=True))
        done = await finished(server, client, speaker_labels=True)
        assert (done.status, done.text, done.words, done.utterances) == ("completed", "", [], [])

    async def test_audio_that_cannot_be_fetched_is_an_error(self):
        async with scripted_server(fetch=True) as server, sdk(server) as client:
            done = await finished(server, client, f"{server.url}/no/such/audio.m4a")
        assert done.status == "error"
        assert done.error == (
            f"Download error, unable to download {server.url}/no/such/audio.m4a. "
            "Please make sure the file exists and is accessible from the internet."
        )

    async def test_uploaded_audio_is_fetched_from_the_server_itself(self):
        async with scripted_server(fetch=True) as server, sdk(server) as client:
            full = await async_api.upload_file(client.http_client, b"bytes")
            empty = await async_api.upload_file(client.http_client, b"")
            heard = await finished(server, client, full)
            refused = await finished(server, client, empty)
        assert heard.status == "completed"
        assert refused.error is not None
        assert refused.error.startswith("File does not appear to contain audio.")

    async def test_an_unknown_id_answers_400_as_the_real_service_does(self, client):
        with pytest.raises(TranscriptError, match="transcript id not found") as raised:
            await async_api.get_transcript(client.http_client, "nobody")
        assert raised.value.status_code == 400

    @pytest.mark.parametrize(
        "body",
        [
            [],
            {},
            {"audio_url": "file:///etc/passwd"},
            {"audio_url": AUDIO, "speaker_lables": True},
            {"audio_url": AUDIO, "speech_threshold": 2},
            {"audio_url": AUDIO, "webhook_url": "localhost"},
        ],
    )
    async def test_a_bad_submission_answers_400(self, client, body):
        response = await client.http_client.post("/v2/transcript", json=body)
        assert response.status_code == 400
        assert response.json()["error"]

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("POST", "/v2/transcript"),
            ("GET", "/v2/transcript"),
            ("GET", "/v2/transcript/x"),
            ("DELETE", "/v2/transcript/x"),
            ("POST", "/v2/upload"),
        ],
    )
    async def test_a_request_without_a_key_answers_401(self, server, method, path):
        async with httpx.AsyncClient(base_url=server.url) as anonymous:
            assert (await anonymous.request(method, path)).status_code == 401

    async def test_every_field_the_sdk_can_send_is_known(self):
        fields = RawTranscriptionConfig.model_fields.items()
        names = {field.alias or name for name, field in fields}
        # The SDK keeps this result among the options; it is never sent.
        assert names - {"language_detection_results"} <= KNOWN_FIELDS


class TestFaults:
    async def test_requests_fail_as_often_as_scripted(self, server, client):
        server.script(
            Script(http=[HttpFault(route="submit", status=429, times=2, retry_after_s=7)])
        )
        for _ in range(2):
            with pytest.raises(TranscriptError, match="Too Many Requests"):
                await submitted(client)
            assert client.last_response.headers["retry-after"] == "7"
        await submitted(client)
        assert server.state.requests["submit"] == 3

    async def test_a_lost_answer_still_submits(self, server, client):
        server.script(Script(http=[HttpFault(route="submit", status=504, after_work=True)]))
        with pytest.raises(TranscriptError):
            await submitted(client)
        assert len(server.state.book.all()) == 1

    async def test_faults_strike_only_the_jobs_they_match(self, server, client):
        mine = await submitted(client, "http://127.0.0.1:9/mine")
        other = await submitted(client, "http://127.0.0.1:9/other")
        server.script(Script(match="/mine", http=[HttpFault(route="get")]))
        await async_api.get_transcript(client.http_client, other)
        with pytest.raises(TranscriptError):
            await async_api.get_transcript(client.http_client, mine)
        await async_api.get_transcript(client.http_client, mine)

    async def test_the_list_can_fail_too(self, server, client):
        server.script(Script(match="whatever", http=[HttpFault(route="list", status=503)]))
        with pytest.raises(AssemblyAIError) as raised:
            await async_api.list_transcripts(client.http_client, None)
        assert raised.value.status_code == 503


class TestList:
    async def test_pages_go_from_newest_to_oldest_and_back(self, server, client):
        ids = [await submitted(client) for _ in range(5)]
        first = await listed(client, limit=2)
        second = await listed(client, limit=2, before_id=ids[3])
        last = await listed(client, limit=2, before_id=ids[1])
        back = await listed(client, limit=2, after_id=ids[0])
        pages = [[item.id for item in page.transcripts] for page in (first, second, last, back)]
        assert pages == [ids[:2:-1], ids[2:0:-1], ids[:1], ids[2:0:-1]]
        assert first.page_details.next_url is None
        assert f"before_id={ids[3]}" in (first.page_details.prev_url or "")
        assert f"after_id={ids[2]}" in (second.page_details.next_url or "")
        assert last.page_details.prev_url is None

    async def test_it_filters_by_status_and_day(self, server, client):
        server.script(Script(match="/bad", error="broken"))
        good = await submitted(client)
        bad = await submitted(client, "http://127.0.0.1:9/bad")
        await server.settled()
        today = server.state.book.get(good).created_at.date().isoformat()
        assert [item.id for item in (await listed(client, status="error")).transcripts] == [bad]
        assert len((await listed(client, created_on=today)).transcripts) == 2
        assert (await listed(client, created_on="2001-01-01")).transcripts == []

    async def test_items_tell_the_audio_url_and_the_error(self, server, client):
        server.script(Script(error="broken"))
        done = await finished(server, client)
        (item,) = (await listed(client)).transcripts
        assert (item.audio_url, item.error, item.completed) == (AUDIO, "broken", None)
        assert item.resource_url == f"{server.url}/v2/transcript/{done.id}"


class TestDelete:
    async def test_the_data_is_gone_and_the_record_stays(self, server, client):
        done = await finished(server, client, speaker_labels=True)
        await async_api.delete_transcript(client.http_client, done.id)
        left = await async_api.get_transcript(client.http_client, done.id)
        assert (left.status, left.text, left.words, left.utterances) == (
            "completed",
            "Deleted by user.",
            None,
            None,
        )
        (item,) = (await listed(client)).transcripts
        assert item.audio_url == left.audio_url == "http://deleted_by_user"

    async def test_a_job_under_way_cannot_be_deleted(self, server, client):
        server.script(Script(delay_s=HOUR_S))
        job_id = await submitted(client)
        with pytest.raises(TranscriptError) as raised:
            await async_api.delete_transcript(client.http_client, job_id)
        assert raised.value.status_code == 400


class TestWebhook:
    async def test_it_carries_the_id_the_status_and_the_header(self, server, client, receiver):
        done = await finished(
            server,
            client,
            webhook_url=receiver.url,
            webhook_auth_header_name="X-Webhook-Secret",
            webhook_auth_header_value="s3cret",
        )
        ((headers, body),) = receiver.received
        assert body == {"transcript_id": done.id, "status": "completed"}
        assert headers["x-webhook-secret"] == "s3cret"
        assert (done.webhook_status_code, done.webhook_auth) == (200, True)

    async def test_a_failed_job_is_announced_as_well(self, server, client, receiver):
        server.script(Script(error="broken"))
        done = await finished(server, client, webhook_url=receiver.url)
        ((_, body),) = receiver.received
        assert body == {"transcript_id": done.id, "status": "error"}

    async def test_a_5xx_is_tried_again(self, server, client, receiver):
        receiver.answers = [500, 503]
        await finished(server, client, webhook_url=receiver.url)
        assert len(receiver.received) == 3

    async def test_a_4xx_ends_delivery(self, server, client, receiver):
        receiver.answers = [500, 404]
        done = await finished(server, client, webhook_url=receiver.url)
        assert len(receiver.received) == 2
        assert done.webhook_status_code == 404

    async def test_ten_tries_are_the_most(self, server, client, receiver):
        receiver.answers = [500] * 20
        await finished(server, client, webhook_url=receiver.url)
        assert len(receiver.received) == 10

    async def test_nobody_listening_counts_as_a_try(self, server, client):
        done = await finished(server, client, webhook_url="http://127.0.0.1:9/hook")
        deliveries = server.state.book.get(done.id).deliveries
        assert [each.status for each in deliveries] == [None] * 10

    async def test_copies_arrive_as_duplicates(self, server, client, receiver):
        server.script(Script(webhook_copies=3))
        done = await finished(server, client, webhook_url=receiver.url)
        assert [body["transcript_id"] for _, body in receiver.received] == [done.id] * 3

    async def test_a_script_or_a_flag_turns_it_off(self, server, client, receiver):
        server.script(Script(webhook=False))
        await finished(server, client, webhook_url=receiver.url)
        async with scripted_server(webhooks=False) as silent, sdk(silent) as other:
            await finished(silent, other, webhook_url=receiver.url)
        assert receiver.received == []


class TestControl:
    async def test_the_bill_charges_completed_jobs_only(self, server, client):
        server.script(Script(match="/bad", error="broken"))
        server.script(Script(match="/silent", silence=True, seconds=90))
        await finished(server, client, "http://127.0.0.1:9/bad")
        await finished(server, client, "http://127.0.0.1:9/silent", speech_threshold=0.1)
        await finished(server, client, "http://127.0.0.1:9/silent")
        bill = (await client.http_client.get("/_local/bill")).json()
        assert bill["submissions"] == 3
        assert [line["charged"] for line in bill["jobs"]] == [False, False, True]
        assert bill["chargedSeconds"] == 90
        assert bill["requests"] == {"submit": 3, "get": 3}

    async def test_reset_forgets_everything(self, server, client):
        server.script(Script(delay_s=HOUR_S))
        job_id = await submitted(client)
        assert (await client.http_client.post("/_local/reset")).status_code == 200
        with pytest.raises(TranscriptError):
            await async_api.get_transcript(client.http_client, job_id)
        assert (await finished(server, client)).status == "completed"

    async def test_scripts_arrive_by_http_and_misspelt_ones_are_refused(self, server, client):
        good = {"match": "/x", "error": "broken", "http": [{"route": "get", "times": 1}]}
        assert (await client.http_client.post("/_local/scripts", json=good)).status_code == 200
        for bad in ({"mach": "/x"}, {"http": [{"route": "put"}]}, {"hours": -1}):
            answer = await client.http_client.post("/_local/scripts", json=bad)
            assert answer.status_code == 422

    async def test_jobs_tell_their_deliveries_and_never_their_text(self, server, client, receiver):
        done = await finished(server, client, webhook_url=receiver.url)
        (job,) = (await client.http_client.get("/_local/jobs")).json()["jobs"]
        assert job["deliveries"] == [{"copy": 1, "attempt": 1, "status": 200}]
        assert done.text not in str(job)


async def test_logs_hold_no_words_and_no_query_strings(server, client, receiver, caplog):
    caplog.set_level("DEBUG", logger="infra")
    done = await finished(server, client, webhook_url=receiver.url)
    assert done.id in caplog.text
    assert "signature" not in caplog.text
    assert "chest" not in caplog.text


async def test_scripted_mode_starts_without_the_engine():
    program = (
        "import sys, infra.local.speech.__main__, infra.local.speech.scripted;"
        "print(sorted({'numpy', 'faster_whisper', 'av'} & sys.modules.keys()))"
    )
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


async def listed(client: AsyncClient, **query: Any):
    params = ListTranscriptParameters(**query)
    return await async_api.list_transcripts(client.http_client, params)
