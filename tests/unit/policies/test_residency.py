"""Test data residency: only a European deployment may call European endpoints."""

import os
from typing import Protocol

import pytest

from lumimd.policies.residency import Endpoint
from lumimd.runtime.settings import SettingsError, read, variables

GOOD = {
    "GOOGLE_CLOUD_PROJECT": "demo",
    "AUDIO_BUCKET": "recordings",
    "SUMMARIZE_URL": "https://summarize.invalid",
    "TASKS_SERVICE_ACCOUNT": "tasks@demo.invalid",
    "ASSEMBLYAI_API_KEY": "an-assemblyai-key",
    "WEBHOOK_SECRET": "a-secret-of-the-webhook",
    "OPENAI_API_KEY": "an-openai-key",
}
EU_TRANSCRIPTION = {"ASSEMBLYAI_BASE_URL": "https://api.eu.assemblyai.com"}
EU_MODEL = {"OPENAI_BASE_URL": "https://eu.api.openai.com/v1"}
OWN_MODEL = {"OPENAI_BASE_URL": "https://model.example.eu/v1"}
IN_EUROPE = ("europe-west3", "europe-north1", "europe-southwest1")
ELSEWHERE = ("us-central1", "asia-northeast1", "northamerica-northeast1")


class Problems(Protocol):
    def __call__(self, region: str, **values: str) -> set[str]: ...


@pytest.fixture
def problems(monkeypatch: pytest.MonkeyPatch) -> Problems:
    """Return a function that lists the variables that settings refuse in a region."""

    def of(region: str, **values: str) -> set[str]:
        for name in variables() & set(os.environ):
            monkeypatch.delenv(name)
        queue = f"projects/demo/locations/{region}/queues/summaries"
        for name, value in {**GOOD, "SUMMARY_QUEUE": queue, "K_SERVICE": "api", **values}.items():
            monkeypatch.setenv(name, value)
        try:
            read()
        except SettingsError as error:
            return {line.strip().partition(":")[0] for line in str(error).splitlines()[1:]}
        return set()

    return of


@pytest.mark.parametrize("region", IN_EUROPE)
@pytest.mark.parametrize(
    ("values", "refused"),
    [
        (EU_TRANSCRIPTION | EU_MODEL, set()),
        ({}, {"ASSEMBLYAI_BASE_URL", "OPENAI_BASE_URL"}),
        (EU_TRANSCRIPTION, {"OPENAI_BASE_URL"}),
        (EU_MODEL, {"ASSEMBLYAI_BASE_URL"}),
        (EU_TRANSCRIPTION | OWN_MODEL, {"OPENAI_BASE_URL"}),
        (EU_TRANSCRIPTION | OWN_MODEL | {"OPENAI_SERVER_REGION": "us"}, {"OPENAI_BASE_URL"}),
        (EU_TRANSCRIPTION | OWN_MODEL | {"OPENAI_SERVER_REGION": "eu"}, set()),
        (
            EU_TRANSCRIPTION
            | {"OPENAI_BASE_URL": "https://us.api.openai.com/v1", "OPENAI_SERVER_REGION": "eu"},
            {"OPENAI_BASE_URL"},
        ),
        (EU_TRANSCRIPTION | {"SUMMARIZER": "rules"}, set()),
    ],
)
def test_a_european_deployment_calls_only_european_endpoints(
    problems: Problems, region: str, values: dict[str, str], refused: set[str]
) -> None:
    assert problems(region, **values) == refused


@pytest.mark.parametrize("region", ELSEWHERE)
@pytest.mark.parametrize(
    ("values", "refused"),
    [
        ({}, set()),
        (OWN_MODEL, set()),
        ({"OPENAI_BASE_URL": "https://us.api.openai.com/v1"}, set()),
        (EU_TRANSCRIPTION, {"ASSEMBLYAI_BASE_URL"}),
        (EU_MODEL, {"OPENAI_BASE_URL"}),
        (OWN_MODEL | {"OPENAI_SERVER_REGION": "eu"}, {"OPENAI_BASE_URL"}),
    ],
)
def test_a_deployment_outside_europe_calls_no_european_endpoint(
    problems: Problems, region: str, values: dict[str, str], refused: set[str]
) -> None:
    assert problems(region, **values) == refused


@pytest.mark.parametrize(
    ("url", "is_european"),
    [
        ("https://EU.API.OpenAI.com:443/v1", True),
        ("https://eu.api.openai.com./v1", True),
        ("https://api.openai.com/v1", False),
        ("https://us.api.openai.com/v1?eu.api.openai.com", False),
        ("https://eu.api.openai.com@api.openai.com/v1", False),
        ("https://eu.api.openai.com.example.com/v1", False),
        ("https://noteu.api.openai.com/v1", False),
        ("https://api.openai.com/eu.api.openai.com", False),
    ],
)
def test_an_endpoint_is_european_only_by_its_host_name(url: str, is_european: bool) -> None:
    endpoint = Endpoint("URL", url, domain="openai.com", in_europe="eu.api.openai.com")
    assert (endpoint.misplaced("europe-west3") is None) is is_european
    assert (endpoint.misplaced("us-central1") is None) is not is_european
