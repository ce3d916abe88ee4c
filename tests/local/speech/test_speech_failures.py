"""The speech server fails jobs and refuses requests, as AssemblyAI does."""

import httpx
import pytest
from assemblyai.prerecorded.v2 import async_api
from assemblyai.types import RawTranscriptionConfig, TranscriptError

from infra.local.speech.params import KNOWN_FIELDS
from infra.local.speech.scripts import Script
from tests.local.speech.client import AUDIO, finished, sdk
from tests.support.speech_server import scripted_server

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_job_with_less_speech_than_its_threshold_ends_with_an_error(server, client):
    server.script(Script(silence=True))
    done = await finished(server, client, speech_threshold=0.5)
    assert done.error == (
        "Audio speech threshold 0.0 is below the requested speech threshold value 0.5"
    )
    assert done.text is None


async def test_silence_without_a_speech_threshold_gives_an_empty_transcript(server, client):
    server.script(Script(silence=True))
    done = await finished(server, client, speaker_labels=True)
    assert (done.status, done.text, done.words, done.utterances) == ("completed", "", [], [])


async def test_audio_that_cannot_be_fetched_is_an_error():
    async with scripted_server(fetch=True) as server, sdk(server) as client:
        done = await finished(server, client, f"{server.url}/no/such/audio.m4a")
    assert done.status == "error"
    assert done.error == (
        f"Download error, unable to download {server.url}/no/such/audio.m4a. "
        "Please make sure the file exists and is accessible from the internet."
    )


async def test_uploaded_audio_is_fetched_from_the_server_itself():
    async with scripted_server(fetch=True) as server, sdk(server) as client:
        full = await async_api.upload_file(client.http_client, b"bytes")
        empty = await async_api.upload_file(client.http_client, b"")
        heard = await finished(server, client, full)
        refused = await finished(server, client, empty)
    assert heard.status == "completed"
    assert refused.error is not None
    assert refused.error.startswith("File does not appear to contain audio.")


async def test_an_unknown_transcript_id_gives_400_as_in_the_real_service(client):
    with pytest.raises(TranscriptError, match="transcript id not found") as raised:
        await async_api.get_transcript(client.http_client, "unknown")
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
async def test_an_invalid_submission_gives_400(client, body):
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
async def test_a_request_without_an_api_key_gives_401(server, method, path):
    async with httpx.AsyncClient(base_url=server.url) as anonymous:
        assert (await anonymous.request(method, path)).status_code == 401


async def test_the_server_knows_every_field_that_the_sdk_can_send():
    fields = RawTranscriptionConfig.model_fields.items()
    names = {field.alias or name for name, field in fields}
    # The SDK keeps this result among the options and never sends it.
    assert names - {"language_detection_results"} <= KNOWN_FIELDS
