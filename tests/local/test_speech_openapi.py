"""Every response of the speech server is valid under AssemblyAI's published OpenAPI document.

This repository does not contain the OpenAPI document. LUMIMD_REFERENCE_DIR names the folder with
assemblyai-openapi.json; the default is ../shared/reference beside the checkout.
"""

import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from infra.local.speech.scripts import Script
from tests.support.speech_server import RunningServer, scripted_server

CHECKOUT = Path(__file__).parents[2]
REFERENCE = Path(os.environ.get("LUMIMD_REFERENCE_DIR") or CHECKOUT.parent / "shared" / "reference")
DOCUMENT = REFERENCE / "assemblyai-openapi.json"
NAME = "urn:assemblyai"

pytestmark = pytest.mark.skipif(
    not DOCUMENT.is_file(),
    reason=f"AssemblyAI's OpenAPI document is not at {DOCUMENT}: set LUMIMD_REFERENCE_DIR",
)

EVERYTHING = {
    "audio_url": "http://127.0.0.1:9/audio.m4a",
    "audio_start_from": 10,
    "custom_spelling": [{"from": ["a"], "to": "b"}],
    "disfluencies": False,
    "domain": "medical-v1",
    "filter_profanity": False,
    "format_text": True,
    "keyterms_prompt": ["metformin"],
    "language_confidence_threshold": 0.2,
    "language_detection": True,
    "multichannel": False,
    "punctuate": True,
    "redact_pii": True,
    "redact_pii_policies": ["person_name"],
    "redact_pii_sub": "hash",
    "speaker_labels": True,
    "speakers_expected": 2,
    "speech_models": ["universal-3-pro", "universal-2"],
    "speech_threshold": 0.1,
    "webhook_auth_header_name": "X-Secret",
    "webhook_auth_header_value": "s3cret",
    "webhook_url": "http://127.0.0.1:9/hook",
}
PLAIN = {"audio_url": "http://127.0.0.1:9/audio.m4a"}


def assert_fits(schema: str, body: Any) -> None:
    document = json.loads(DOCUMENT.read_text(encoding="utf-8"))
    registry: Registry[Any] = Registry().with_resource(
        NAME, Resource.from_contents(document, default_specification=DRAFT202012)
    )
    validator = Draft202012Validator(
        {"$ref": f"{NAME}#/components/schemas/{schema}"},
        registry=registry,
        format_checker=Draft202012Validator.FORMAT_CHECKER,
    )
    assert [f"{error.json_path}: {error.message}" for error in validator.iter_errors(body)] == []


@pytest.fixture
async def server() -> AsyncIterator[RunningServer]:
    async with scripted_server() as running:
        yield running


@pytest.fixture
async def http(server: RunningServer) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.url, headers={"authorization": "any"}) as client:
        yield client


@pytest.mark.parametrize("options", [PLAIN, EVERYTHING])
@pytest.mark.parametrize("script", [Script(), Script(silence=True), Script(error="broken")])
async def test_the_response_with_a_transcript_is_valid_in_every_state(
    server, http, options, script
):
    server.script(script)
    created = (await http.post("/v2/transcript", json=options)).json()
    assert_fits("Transcript", created)
    await server.settled()
    assert_fits("Transcript", (await http.get(f"/v2/transcript/{created['id']}")).json())
    assert_fits("Transcript", (await http.delete(f"/v2/transcript/{created['id']}")).json())
    assert_fits("TranscriptList", (await http.get("/v2/transcript")).json())


async def test_the_responses_for_running_jobs_and_list_pages_are_valid(server, http):
    server.script(Script(delay_s=3600))
    for _ in range(3):
        created = (await http.post("/v2/transcript", json=PLAIN)).json()
        assert_fits("Transcript", (await http.get(f"/v2/transcript/{created['id']}")).json())
    page = (await http.get("/v2/transcript", params={"limit": 1})).json()
    assert_fits("TranscriptList", page)
    assert_fits("TranscriptList", (await http.get(page["page_details"]["prev_url"])).json())


async def test_upload_and_error_responses_are_valid(http):
    assert_fits("UploadedFile", (await http.post("/v2/upload", content=b"audio")).json())
    assert_fits("Error", (await http.get("/v2/transcript/unknown")).json())
    assert_fits("Error", (await http.post("/v2/transcript", json={})).json())
    assert_fits("Error", (await http.get("/v2/transcript", headers={"authorization": ""})).json())
