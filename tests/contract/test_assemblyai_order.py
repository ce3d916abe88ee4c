"""An order (a paid job) names every option, and the local AssemblyAI server accepts the order."""

import httpx
import pytest

from infra.local.speech.params import KNOWN_FIELDS, BadRequest, submission
from lumimd.adapters.assemblyai.options import MODELS, Options
from lumimd.adapters.assemblyai.order import order
from lumimd.adapters.assemblyai.provider import (
    MOST_TERMS,
    MOST_TERMS_OF_UNIVERSAL_2,
    MOST_WORDS,
    TranscriptionProvider,
)
from lumimd.runtime.settings import SettingsError, read
from tests.support.assemblyai_provider import Provider

URL = "https://storage.invalid/b/visits/u/v/a.m4a?generation=1&Signature=x"
ALL = Options(
    models=("universal-2",),
    domain="medical-v1",
    key_terms=("lisinopril", "Dr. Nguyen"),
    languages=("en", "es"),
)


def test_an_order_with_default_options_names_every_option_and_no_paid_extra() -> None:
    body = order(URL, Options(), {})
    assert body == {
        "audio_url": URL,
        "speech_models": list(MODELS),
        "speaker_labels": True,
        "language_detection": True,
        "language_detection_options": {"fallback_language": "auto"},
        "punctuate": True,
        "format_text": True,
        "disfluencies": False,
        "filter_profanity": False,
    }


def test_an_order_has_no_speech_threshold() -> None:
    """A threshold rejects recordings with little speech: 2 % of ten hours are twelve minutes."""
    assert "speech_threshold" not in order(URL, ALL, {})


async def test_the_configured_options_are_in_the_order() -> None:
    provider = Provider()
    await provider.transcriber(ALL).submit(URL, visit_id="v", attempt=1)
    (body,) = provider.bodies
    assert body["speech_models"] == ["universal-2"]
    assert body["domain"] == "medical-v1"
    assert body["keyterms_prompt"] == ["lisinopril", "Dr. Nguyen"]
    assert body["language_detection_options"]["expected_languages"] == ["en", "es"]


@pytest.mark.parametrize("options", [Options(), ALL])
async def test_the_local_server_accepts_every_order(speech_url: str, options: Options) -> None:
    body = order(URL, options, {})
    assert body.keys() <= KNOWN_FIELDS
    assert submission(body) == body
    async with httpx.AsyncClient(base_url=speech_url, headers={"authorization": "k"}) as http:
        answer = await http.post("/v2/transcript", json=body)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    "wrong",
    [
        {"speech_models": "universal-2"},
        {"speech_models": []},
        {"speech_models": [5]},
        {"keyterms_prompt": ["x"] * 1001},
        {"keyterms_prompt": ["one two three four five six seven"]},
        {"keyterms_prompt": "x"},
        {"domain": "legal-v1"},
        {"language_detection_options": {"languages": ["en"]}},
        {"language_detection_options": []},
    ],
)
def test_the_local_server_refuses_parameters_that_the_provider_would_refuse(
    wrong: dict[str, object],
) -> None:
    with pytest.raises(BadRequest):
        submission({**order(URL, ALL, {}), **wrong})


# Settings

ENVIRONMENT = {
    "google_cloud_project": "p",
    "audio_bucket": "b",
    "summary_queue": "projects/p/locations/l/queues/q",
    "summarize_url": "https://s.invalid",
    "tasks_service_account": "a@b",
    "assemblyai_api_key": "k",
    "webhook_secret": "s" * 16,
    "summarizer": "rules",
}


def with_settings(**more: str) -> TranscriptionProvider:
    provider = read(**ENVIRONMENT, **more).transcription
    assert isinstance(provider, TranscriptionProvider)
    return provider


def test_key_terms_are_split_at_commas_semicolons_and_line_breaks() -> None:
    settings = with_settings(
        transcription_key_terms="lisinopril, metformin;  Dr.  Nguyen\nmetformin,,",
        transcription_models="universal-2, universal-3-5-pro",
        transcription_languages="en,es",
        transcription_domain="medical-v1",
    )
    assert settings.transcription_key_terms == ("lisinopril", "metformin", "Dr. Nguyen")
    assert settings.transcription_models == ("universal-2", "universal-3-5-pro")
    assert settings.transcription_languages == ("en", "es")


def test_the_default_settings_equal_the_default_options() -> None:
    settings, defaults = with_settings(), Options()
    assert settings.transcription_models == defaults.models
    assert settings.transcription_domain is defaults.domain
    assert settings.transcription_key_terms == defaults.key_terms
    assert settings.transcription_languages == defaults.languages


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("transcription_key_terms", ",".join(f"t{n}" for n in range(MOST_TERMS + 1))),
        ("transcription_key_terms", "one two three four five six seven"),
        ("transcription_models", ","),
        ("transcription_models", "universal 2"),
        ("transcription_languages", "en;d/e"),
        ("transcription_domain", "legal-v1"),
    ],
)
def test_a_settings_error_names_the_environment_variable_with_the_bad_value(
    name: str, value: str
) -> None:
    with pytest.raises(SettingsError, match=name.upper()):
        with_settings(**{name: value})


def test_key_terms_are_limited_in_number_and_words_and_universal_2_allows_fewer() -> None:
    def terms(count: int) -> str:
        return ",".join(f"t{n}" for n in range(count))

    with_settings(transcription_key_terms=terms(MOST_TERMS))
    with_settings(transcription_key_terms=" ".join("x" * MOST_WORDS))
    older = {"transcription_models": "universal-2"}
    with_settings(transcription_key_terms=terms(MOST_TERMS_OF_UNIVERSAL_2), **older)
    with pytest.raises(SettingsError, match="TRANSCRIPTION_KEY_TERMS"):
        with_settings(transcription_key_terms=terms(MOST_TERMS_OF_UNIVERSAL_2 + 1), **older)
