"""The health checks that the settings of a deployment build, run against the local servers."""

import os

import pytest
from google.cloud import storage

from lumimd.ports.health_check import Unhealthy
from lumimd.runtime.api import ApiCloudServices
from lumimd.runtime.settings import read, variables
from tests.conftest import QUEUE

SETTINGS = {
    "GOOGLE_CLOUD_PROJECT": "demo-lumimd",
    "AUDIO_BUCKET": "checked-recordings",
    "SUMMARY_QUEUE": QUEUE,
    "SUMMARIZE_URL": "https://summarize.invalid",
    "TASKS_SERVICE_ACCOUNT": "tasks@demo.invalid",
    "ASSEMBLYAI_API_KEY": "a-key",
    "WEBHOOK_SECRET": "a-secret-of-the-webhook",
    "SUMMARIZER": "rules",
}


def services(monkeypatch: pytest.MonkeyPatch, **more: str) -> ApiCloudServices:
    for name in variables() & set(os.environ):
        monkeypatch.delenv(name)
    for name, value in {**SETTINGS, **more}.items():
        monkeypatch.setenv(name, value)
    return ApiCloudServices(read())


def test_each_dependency_of_a_deployment_has_a_health_check(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert set(services(monkeypatch).checks) == {
        "store",
        "queues",
        "scheduler",
        "breaker: transcription",
        "breaker: orders",
        "breaker: model",
        "bucket",
        "transcriber",
        "model",
    }


async def test_the_transcriber_check_calls_the_configured_address(
    monkeypatch: pytest.MonkeyPatch, speech_url: str
) -> None:
    checks = services(monkeypatch, ASSEMBLYAI_BASE_URL=speech_url).checks
    assert await checks["transcriber"]() == "answers"
    away = services(monkeypatch, ASSEMBLYAI_BASE_URL="http://127.0.0.1:9").checks
    with pytest.raises(Unhealthy, match="does not answer"):
        await away["transcriber"]()


async def test_the_model_check_of_a_deployment_without_a_model_reports_not_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert (await services(monkeypatch).checks["model"]()).startswith("not used")


async def test_the_model_check_calls_the_configured_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = {
        "SUMMARIZER": "openai",
        "OPENAI_API_KEY": "a-key",
        "OPENAI_BASE_URL": "http://127.0.0.1:9/v1",
    }
    with pytest.raises(Unhealthy, match="does not answer"):
        await services(monkeypatch, **model).checks["model"]()


async def test_the_bucket_check_of_a_deployment_fails_until_the_bucket_exists(
    monkeypatch: pytest.MonkeyPatch, storage_url: str
) -> None:
    deployed = services(monkeypatch, STORAGE_EMULATOR_HOST=storage_url)
    check = deployed.checks["bucket"]
    with pytest.raises(Unhealthy, match="no such bucket"):
        await check()
    storage.Client(project="demo-lumimd", use_auth_w_custom_endpoint=False).create_bucket(
        SETTINGS["AUDIO_BUCKET"]
    )
    assert await check() == "the bucket is there"


async def test_the_queues_are_those_of_the_configured_location(
    monkeypatch: pytest.MonkeyPatch, tasks_host: str
) -> None:
    deployed = services(monkeypatch, CLOUD_TASKS_EMULATOR_HOST=tasks_host)
    # Other tests add queues to the same server.
    assert QUEUE.rpartition("/")[2] in {queue.name for queue in await deployed.queues.all()}
