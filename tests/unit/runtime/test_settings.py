"""Test that settings report all problems together, by variable and without values."""

import os
import re
import traceback
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import get_args

import pytest

from lumimd.adapters.openai.provider import SummaryProvider
from lumimd.runtime.settings import Deployment, SettingsError, read, variables

EXAMPLE = Path(__file__).parents[3] / ".env.example"
CANARY = "canary value"
VARIABLES = variables()

GOOD = {
    "GOOGLE_CLOUD_PROJECT": "demo",
    "AUDIO_BUCKET": "recordings",
    "SUMMARY_QUEUE": "projects/demo/locations/us-central1/queues/summaries",
    "SUMMARIZE_URL": "https://summarize.invalid",
    "TASKS_SERVICE_ACCOUNT": "tasks@demo.invalid",
    "ASSEMBLYAI_API_KEY": "an-assemblyai-key",
    "WEBHOOK_SECRET": "a-secret-of-the-webhook",
    "OPENAI_API_KEY": "an-openai-key",
}

Reading = Callable[[dict[str, str]], Deployment]


@pytest.fixture
def reading(monkeypatch: pytest.MonkeyPatch) -> Reading:
    """Return a function that reads settings from an environment with only given variables."""

    def read_from(environment: dict[str, str]) -> Deployment:
        for variable in [name for name in os.environ if name.upper() in VARIABLES]:
            monkeypatch.delenv(variable)
        for variable, value in environment.items():
            monkeypatch.setenv(variable, value)
        return read()

    return read_from


def problems(reading: Reading, environment: dict[str, str]) -> set[str]:
    """Read bad settings; returns the variables in the error message, one on each line."""
    with pytest.raises(SettingsError) as raised:
        reading(environment)
    message = "".join(traceback.format_exception(raised.value))
    assert CANARY not in message
    _, *lines = str(raised.value).splitlines()
    return {line.strip().partition(":")[0] for line in lines}


def test_the_required_variables_suffice_for_a_deployment(reading: Reading) -> None:
    settings = reading(GOOD).settings
    assert settings.webhook_secrets == ("a-secret-of-the-webhook",)
    assert settings.summarizer == "openai"


@pytest.mark.parametrize("missing", GOOD)
def test_each_required_variable_is_named_when_it_is_empty(reading: Reading, missing: str) -> None:
    assert problems(reading, {**GOOD, missing: ""}) == {missing}


def test_all_missing_variables_are_named_together(reading: Reading) -> None:
    assert problems(reading, {}) == set(GOOD)


def test_all_bad_variables_are_named_together_without_values(reading: Reading) -> None:
    bad = {name: CANARY for name in VARIABLES if name.endswith(("_URL", "_IPS", "_QUEUE"))}
    bad |= dict.fromkeys(("TASKS_SERVICE_ACCOUNT", "AUDIO_HANDOVER"), CANARY)
    bad |= dict.fromkeys(("WEBHOOK_SECRET", "WEBHOOK_SECRET_PREVIOUS"), CANARY)
    assert problems(reading, {**GOOD, **bad}) == set(bad) & VARIABLES


def test_bad_and_missing_variables_are_named_together(reading: Reading) -> None:
    environment = {**GOOD, "SUMMARY_QUEUE": CANARY, "ASSEMBLYAI_API_KEY": ""}
    assert problems(reading, environment) == {"SUMMARY_QUEUE", "ASSEMBLYAI_API_KEY"}


def test_a_list_with_one_bad_address_is_refused(reading: Reading) -> None:
    environment = {**GOOD, "WEBHOOK_ALLOWED_IPS": f"203.0.113.9, {CANARY}"}
    assert problems(reading, environment) == {"WEBHOOK_ALLOWED_IPS"}


def test_the_rule_based_summarizer_needs_no_model_key(reading: Reading) -> None:
    deployment = reading({**GOOD, "OPENAI_API_KEY": "", "SUMMARIZER": "rules"})
    assert deployment.model is None


@pytest.mark.parametrize("variable", ["TRANSCRIBER", "SUMMARIZER"])
@pytest.mark.parametrize("name", [CANARY, "google", "memory", "rules2", "../openai", "open-ai"])
def test_an_unknown_provider_is_named_with_all_other_problems(
    reading: Reading, variable: str, name: str
) -> None:
    environment = {**GOOD, variable: name, "AUDIO_BUCKET": "", "WEBHOOK_URL": CANARY}
    assert problems(reading, environment) == {variable, "AUDIO_BUCKET", "WEBHOOK_URL"}


def test_a_vendor_of_the_other_kind_is_refused(reading: Reading) -> None:
    assert problems(reading, {**GOOD, "TRANSCRIBER": "openai"}) == {"TRANSCRIBER"}
    assert problems(reading, {**GOOD, "SUMMARIZER": "assemblyai"}) == {"SUMMARIZER"}


def test_settings_have_the_current_and_the_previous_webhook_secret(reading: Reading) -> None:
    settings = reading({**GOOD, "WEBHOOK_SECRET_PREVIOUS": "the-secret-of-before"}).settings
    assert settings.webhook_secrets == ("a-secret-of-the-webhook", "the-secret-of-before")


def test_allowed_addresses_are_separated_by_commas(reading: Reading) -> None:
    settings = reading({**GOOD, "WEBHOOK_ALLOWED_IPS": " 203.0.113.9,2600:1f14::1, "}).settings
    assert settings.webhook_allowed_ips == {ip_address("203.0.113.9"), ip_address("2600:1f14::1")}


def test_the_text_of_settings_contains_no_secrets(reading: Reading) -> None:
    shown = f"{reading(GOOD)!r} {reading(GOOD)}"
    for secret in ("ASSEMBLYAI_API_KEY", "WEBHOOK_SECRET", "OPENAI_API_KEY"):
        assert GOOD[secret] not in shown


def example() -> dict[str, str]:
    """Return all variables of the example file, also those that are commented out."""
    found = re.findall(r"^#? ?([A-Z][A-Z0-9_]*)=(.*)$", EXAMPLE.read_text(), flags=re.MULTILINE)
    return dict(found)


def test_the_example_file_lists_exactly_the_known_variables() -> None:
    assert set(example()) == VARIABLES


def test_the_example_file_is_valid_once_its_secrets_are_set(reading: Reading) -> None:
    secrets = {"ASSEMBLYAI_API_KEY", "WEBHOOK_SECRET", "OPENAI_API_KEY"}
    assert problems(reading, example()) == secrets
    assert reading(example() | {name: GOOD[name] for name in secrets})


@pytest.mark.parametrize("variable", ["LOCAL_TOKEN_SECRET", "FIREBASE_AUTH_EMULATOR_HOST"])
def test_settings_that_accept_forged_tokens_are_refused_in_the_cloud(
    reading: Reading, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = {**GOOD, variable: "x" * 32}
    assert problems(reading, local) == {variable}
    beside_an_emulator = {**local, "FIRESTORE_EMULATOR_HOST": "127.0.0.1:8580"}
    assert reading(beside_an_emulator)
    monkeypatch.setenv("K_SERVICE", "api")  # Cloud Run always sets K_SERVICE
    assert problems(reading, beside_an_emulator) == {variable, "FIRESTORE_EMULATOR_HOST"}


LOCAL_ONLY = {
    "FIRESTORE_EMULATOR_HOST": "127.0.0.1:8580",
    "STORAGE_EMULATOR_HOST": "http://127.0.0.1:4443",
    "CLOUD_TASKS_EMULATOR_HOST": "127.0.0.1:8123",
    "CLOUD_SCHEDULER_EMULATOR_HOST": "127.0.0.1:8124",
    "FIREBASE_AUTH_EMULATOR_HOST": "127.0.0.1:9099",
    "LOCAL_TOKEN_SECRET": "x" * 32,
    # The SDKs read these variables; the settings do not.
    "PUBSUB_EMULATOR_HOST": "127.0.0.1:8785",
    "FIREBASE_STORAGE_EMULATOR_HOST": "127.0.0.1:9199",
}
ADDRESSES = sorted(name for name in VARIABLES if name.endswith("_URL"))


@pytest.fixture
def in_the_cloud(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("K_SERVICE", "api")


def test_every_emulator_variable_of_the_settings_is_tested() -> None:
    emulators = {name for name in VARIABLES if name.endswith("_EMULATOR_HOST")}
    assert emulators <= set(LOCAL_ONLY)


@pytest.mark.parametrize("variable", LOCAL_ONLY)
def test_variables_of_a_local_stack_are_refused_in_the_cloud(
    reading: Reading, in_the_cloud: None, variable: str
) -> None:
    assert problems(reading, {**GOOD, variable: LOCAL_ONLY[variable]}) == {variable}


def test_variables_of_a_local_stack_are_named_with_all_other_problems(
    reading: Reading, in_the_cloud: None
) -> None:
    bad = {"AUDIO_HANDOVER": CANARY, "ASSEMBLYAI_API_KEY": ""}
    assert problems(reading, {**GOOD, **LOCAL_ONLY, **bad}) == set(LOCAL_ONLY) | set(bad)


def test_an_empty_emulator_variable_is_accepted_in_the_cloud(
    reading: Reading, in_the_cloud: None
) -> None:
    assert reading({**GOOD, **dict.fromkeys(LOCAL_ONLY, "")})


def test_on_a_developers_machine_every_service_may_be_local(reading: Reading) -> None:
    assert reading({**GOOD, **LOCAL_ONLY, **dict.fromkeys(ADDRESSES, "http://127.0.0.1:9/v1")})


@pytest.mark.parametrize("variable", ADDRESSES)
def test_an_address_without_tls_is_refused_in_the_cloud(
    reading: Reading, in_the_cloud: None, variable: str
) -> None:
    assert problems(reading, {**GOOD, variable: "http://provider.invalid"}) == {variable}
    assert reading({**GOOD, variable: "https://provider.invalid"})


@pytest.mark.parametrize("variable", ADDRESSES)
@pytest.mark.parametrize("address", ["https://", "https:///path", "https://a b", "ftp://a", "a.b"])
def test_an_address_without_a_valid_host_or_scheme_is_refused(
    reading: Reading, variable: str, address: str
) -> None:
    assert problems(reading, {**GOOD, variable: address}) == {variable}


@pytest.mark.parametrize(
    "variable",
    ["ASSEMBLYAI_API_KEY", "WEBHOOK_SECRET", "WEBHOOK_SECRET_PREVIOUS", "OPENAI_API_KEY"],
)
@pytest.mark.parametrize("secret", ["k" * 20 + "\n", "k" * 10 + " " + "k" * 10, "ключ" * 8])
def test_a_secret_that_is_invalid_in_a_header_is_refused(
    reading: Reading, variable: str, secret: str
) -> None:
    assert problems(reading, {**GOOD, variable: secret}) == {variable}


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("AUDIO_BUCKET", "gs://recordings"),
        ("GOOGLE_CLOUD_PROJECT", "projects/demo"),
        ("AUDIO_RETENTION_DAYS", "1000000000"),
        ("TRANSCRIPT_RETENTION_DAYS", "1000000000"),
        ("EXPIRE_UNFINISHED_AFTER_DAYS", "1000000000"),
    ],
)
def test_a_value_that_would_fail_at_its_first_use_is_refused_at_start(
    reading: Reading, variable: str, value: str
) -> None:
    assert problems(reading, {**GOOD, variable: value}) == {variable}


def test_a_short_token_secret_is_refused(reading: Reading) -> None:
    local = {**GOOD, "FIRESTORE_EMULATOR_HOST": "127.0.0.1:8580", "LOCAL_TOKEN_SECRET": "short"}
    assert problems(reading, local) == {"LOCAL_TOKEN_SECRET"}


def test_web_origins_are_separated_by_commas(reading: Reading) -> None:
    settings = reading(
        {**GOOD, "WEB_ORIGINS": "https://a.example.com, http://localhost:3000,"}
    ).settings
    assert settings.web_origins == ("https://a.example.com", "http://localhost:3000")


@pytest.mark.parametrize("origins", ["*", "https://*", "https://a.example.com/", "a.example.com"])
def test_a_wildcard_or_malformed_web_origin_is_refused(reading: Reading, origins: str) -> None:
    assert problems(reading, {**GOOD, "WEB_ORIGINS": origins}) == {"WEB_ORIGINS"}


def test_the_model_and_its_token_budget_are_read_from_settings(reading: Reading) -> None:
    def model_of(environment: dict[str, str]) -> SummaryProvider:
        model = reading(environment).model
        assert isinstance(model, SummaryProvider)
        return model

    default = model_of(GOOD)
    assert default.openai_answer_tokens >= 8_000
    assert default.openai_reasoning_effort is None
    chosen = {
        "OPENAI_MODEL": "my-model",
        "OPENAI_ANSWER_TOKENS": "9000",
        "OPENAI_REASONING_EFFORT": "low",
    }
    settings = model_of(GOOD | chosen)
    assert (settings.openai_model, settings.openai_answer_tokens) == ("my-model", 9_000)
    assert settings.openai_reasoning_effort == "low"


@pytest.mark.parametrize(
    ("variable", "values"),
    [
        ("OPENAI_MODEL", ["a model", " "]),
        ("OPENAI_ANSWER_TOKENS", ["0", "999", "1000000", "many", "-1"]),
        ("OPENAI_REASONING_EFFORT", ["much", "LOW", "0"]),
    ],
)
def test_invalid_model_options_are_refused_at_start(
    reading: Reading, variable: str, values: list[str]
) -> None:
    for value in values:
        assert problems(reading, {**GOOD, variable: value}) == {variable}


RETIRED = re.compile(r"gpt-(3|4)|gpt-5(-|$)|gpt-5\.1|o[134](-|$)|chatgpt|-preview|-latest")
"""Models that OpenAI will shut down (deprecations page, November 2026: decision 0018)."""


def test_the_default_model_is_known_to_the_sdk_and_has_no_announced_shutdown() -> None:
    from openai.types import ChatModel

    default = SummaryProvider.model_fields["openai_model"].default
    assert default in get_args(ChatModel)
    assert not RETIRED.match(default)


def test_the_reasoning_efforts_equal_those_of_the_sdk() -> None:
    from openai.types import ReasoningEffort

    def words(annotation: object) -> set[str]:
        return {word for each in get_args(annotation) for word in get_args(each)}

    ours = SummaryProvider.model_fields["openai_reasoning_effort"].annotation
    assert words(ours) == words(ReasoningEffort)
