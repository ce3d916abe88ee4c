"""The control API of the speech server sets faults, shows the bill and resets the server.

The server never logs spoken words.
"""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from assemblyai.prerecorded.v2 import async_api
from assemblyai.types import AssemblyAIError, TranscriptError

from infra.local.speech.scripts import HttpFault, Script
from tests.local.speech.client import HOUR_S, finished, submitted

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_running_jobs_are_counted_with_their_cpu_time(server, client):
    async def work():
        return (await client.http_client.get("/_local/work")).json()

    before = await work()
    assert before["jobs"] == 0
    server.script(Script(delay_s=3600))
    job_id = await submitted(client)
    while server.state.book.get(job_id).status == "queued":
        await asyncio.sleep(0)
    during = await work()
    assert during["jobs"] == 1
    assert during["cpuSeconds"] > before["cpuSeconds"]
    await server.state.reset()
    assert (await work())["jobs"] == 0


class TestFaults:
    async def test_a_scripted_fault_fails_the_scripted_number_of_requests(self, server, client):
        server.script(
            Script(http=[HttpFault(route="submit", status=429, times=2, retry_after_s=7)])
        )
        for _ in range(2):
            with pytest.raises(TranscriptError, match="Too Many Requests"):
                await submitted(client)
            assert client.last_response.headers["retry-after"] == "7"
        await submitted(client)
        assert server.state.requests["submit"] == 3

    async def test_a_submission_with_a_lost_response_still_creates_a_job(self, server, client):
        server.script(Script(http=[HttpFault(route="submit", status=504, after_work=True)]))
        with pytest.raises(TranscriptError):
            await submitted(client)
        assert len(server.state.book.all()) == 1

    async def test_a_scripted_fault_affects_only_matching_jobs(self, server, client):
        mine = await submitted(client, "http://127.0.0.1:9/mine")
        other = await submitted(client, "http://127.0.0.1:9/other")
        server.script(Script(match="/mine", http=[HttpFault(route="get")]))
        await async_api.get_transcript(client.http_client, other)
        with pytest.raises(TranscriptError):
            await async_api.get_transcript(client.http_client, mine)
        await async_api.get_transcript(client.http_client, mine)

    async def test_a_scripted_fault_can_fail_the_job_list(self, server, client):
        server.script(Script(match="any-job", http=[HttpFault(route="list", status=503)]))
        with pytest.raises(AssemblyAIError) as raised:
            await async_api.list_transcripts(client.http_client, None)
        assert raised.value.status_code == 503


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

    async def test_a_reset_of_the_speech_server_deletes_all_state(self, server, client):
        server.script(Script(delay_s=HOUR_S))
        job_id = await submitted(client)
        assert (await client.http_client.post("/_local/reset")).status_code == 200
        with pytest.raises(TranscriptError):
            await async_api.get_transcript(client.http_client, job_id)
        assert (await finished(server, client)).status == "completed"

    async def test_the_control_api_accepts_scripts_and_refuses_misspelt_fields(
        self, server, client
    ):
        good = {"match": "/x", "error": "broken", "http": [{"route": "get", "times": 1}]}
        assert (await client.http_client.post("/_local/scripts", json=good)).status_code == 200
        for bad in ({"mach": "/x"}, {"http": [{"route": "put"}]}, {"hours": -1}):
            answer = await client.http_client.post("/_local/scripts", json=bad)
            assert answer.status_code == 422

    async def test_the_job_list_of_the_control_api_has_webhook_deliveries_and_no_spoken_text(
        self, server, client, receiver
    ):
        done = await finished(server, client, webhook_url=receiver.url)
        (job,) = (await client.http_client.get("/_local/jobs")).json()["jobs"]
        assert job["deliveries"] == [{"copy": 1, "attempt": 1, "status": 200}]
        assert done.text not in str(job)

    async def test_the_control_api_keeps_the_utterances_of_a_deleted_transcript(
        self, server, client
    ):
        done = await finished(server, client, speaker_labels=True)
        await async_api.delete_transcript(client.http_client, done.id)
        heard = (await client.http_client.get(f"/_local/jobs/{done.id}/heard")).json()
        assert [each["text"] for each in heard["utterances"]] == [u.text for u in done.utterances]
        assert (await client.http_client.get("/_local/jobs/none/heard")).status_code == 404


async def test_logs_contain_no_spoken_words_and_no_query_strings(server, client, receiver, caplog):
    caplog.set_level("DEBUG", logger="infra")
    done = await finished(server, client, webhook_url=receiver.url)
    assert done.id in caplog.text
    assert "signature" not in caplog.text
    assert "chest" not in caplog.text


async def test_the_server_in_scripted_mode_does_not_load_the_recognition_engine():
    program = (
        "import sys, infra.local.speech.__main__, infra.local.speech.scripted;"
        "print(sorted({'numpy', 'faster_whisper', 'av'} & sys.modules.keys()))"
    )
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
