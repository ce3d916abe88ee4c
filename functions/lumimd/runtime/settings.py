"""The settings of one deployment: one frozen model, read from the environment once.

All missing and bad variables are reported together, by name; values are never printed.
"""

import os
import re
from functools import cache
from typing import Annotated, Final, Literal

from pydantic import (
    Field,
    IPvAnyAddress,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from lumimd.policies import key_terms, residency
from lumimd.policies.tiers import Tier

URL: Final = r"^https?://[^\s/?#]+([/?]\S*)?$"
OPENAI_URL: Final = "https://api.openai.com/v1"  # the SDK's own choice
DAYS: Final = 36_500  # a hundred years: more would overflow a date
IN_A_HEADER: Final = re.compile(r"[\x21-\x7e]+")
MOST_ANSWER_TOKENS: Final = 64_000
"""A model that is cut off is asked again with twice as many, and most models write 128,000."""


class SettingsError(Exception):
    """The environment describes no deployment; the message names every variable to correct."""


class Settings(BaseSettings):
    """The variables, which `.env.example` documents one by one."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True
    )

    google_cloud_project: str = Field(pattern=r"^[^\s/]+$")
    firestore_emulator_host: str | None = None
    storage_emulator_host: str | None = None
    audio_bucket: str = Field(pattern=r"^[^\s/:]+$")

    summary_queue: str = Field(pattern=r"^projects/[^/]+/locations/[^/]+/queues/[^/]+$")
    summarize_url: str = Field(pattern=URL)
    tasks_service_account: str = Field(pattern=r"^[^@\s]+@[^@\s]+$")
    cloud_tasks_emulator_host: str | None = None
    cloud_scheduler_emulator_host: str | None = None

    transcription_concurrency: int = Field(200, ge=1)
    audio_handover: Literal["signed_url", "upload"] = "signed_url"
    assemblyai_api_key: SecretStr
    assemblyai_base_url: str = Field(
        "https://api.assemblyai.com", pattern=URL, validate_default=True
    )
    transcription_models: Annotated[tuple[str, ...], NoDecode] = (
        "universal-3-5-pro",
        "universal-2",
    )
    transcription_domain: Literal["medical-v1"] | None = None
    transcription_languages: Annotated[tuple[str, ...], NoDecode] = ()
    transcription_key_terms: Annotated[tuple[str, ...], NoDecode] = ()

    webhook_url: str | None = Field(None, pattern=URL)
    webhook_secret: SecretStr = Field(min_length=16)
    webhook_secret_previous: SecretStr | None = Field(None, min_length=16)
    webhook_allowed_ips: Annotated[frozenset[IPvAnyAddress], NoDecode] = frozenset()

    default_tier: Tier = Tier.FREE
    require_consent: bool = True
    audio_retention_days: int = Field(30, ge=1, le=DAYS)
    transcript_retention_days: int | None = Field(None, ge=1, le=DAYS)
    expire_unfinished_after_days: int = Field(7, ge=1, le=DAYS)

    summarizer: Literal["openai", "rules"] = "openai"
    openai_api_key: SecretStr | None = Field(None, validate_default=True)
    openai_server_region: residency.Region | None = None
    openai_base_url: str | None = Field(None, pattern=URL, validate_default=True)
    openai_model: str = Field("gpt-6-luna", pattern=r"^\S+$")
    openai_answer_tokens: int = Field(16_000, ge=1_000, le=MOST_ANSWER_TOKENS)
    openai_reasoning_effort: (
        Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None
    ) = None

    web_origins: Annotated[tuple[str, ...], NoDecode] = ()
    firebase_auth_emulator_host: str | None = None
    local_token_secret: SecretStr | None = Field(None, min_length=32)

    @field_validator("firebase_auth_emulator_host", "local_token_secret")
    @classmethod
    def _nowhere_but_here(cls, value: object, info: ValidationInfo) -> object:
        """With either one, any caller can write a valid token, so the cloud must never have it."""
        if value is None:
            return None
        if info.data.get("firestore_emulator_host") is None or _in_the_cloud():
            raise ValueError("for a local stack alone, where FIRESTORE_EMULATOR_HOST is set")
        return value

    @field_validator("summarize_url", "assemblyai_base_url", "webhook_url", "openai_base_url")
    @classmethod
    def _encrypted_in_the_cloud(cls, value: str | None) -> str | None:
        """Keys, recordings and transcripts travel to these addresses."""
        if value is not None and _in_the_cloud() and not value.startswith("https://"):
            raise ValueError("must begin with https:// in the cloud")
        return value

    @field_validator("assemblyai_base_url", "openai_base_url")
    @classmethod
    def _on_this_side_of_the_atlantic(cls, value: str | None, info: ValidationInfo) -> str | None:
        """Recordings and transcripts of a European deployment stay in Europe."""
        told = info.data
        if not _in_the_cloud() or "summary_queue" not in told:
            return value
        if info.field_name == "assemblyai_base_url":
            url, own_server = value, None
        elif value is None and told.get("summarizer") != "openai":
            return value  # no model is called
        else:
            url, own_server = value or OPENAI_URL, told.get("openai_server_region")
        problem = residency.misplaced(url or "", _region_of(told["summary_queue"]), own_server)
        if problem is not None:
            raise ValueError(problem)
        return value

    @field_validator(
        "assemblyai_api_key", "webhook_secret", "webhook_secret_previous", "openai_api_key"
    )
    @classmethod
    def _fits_a_header(cls, value: SecretStr | None) -> SecretStr | None:
        """A secret that was stored with a line break at its end fails every request."""
        if value is not None and not IN_A_HEADER.fullmatch(value.get_secret_value()):
            raise ValueError("printable ASCII without spaces or line breaks, also at its end")
        return value

    @field_validator("transcription_models", "transcription_languages", mode="before")
    @classmethod
    def _names(cls, value: object) -> object:
        return key_terms.key_terms(value) if isinstance(value, str) else value

    @field_validator("transcription_models", "transcription_languages")
    @classmethod
    def _plain_names(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if not all(re.fullmatch(r"[A-Za-z0-9._-]{2,40}", name) for name in value):
            raise ValueError("names of letters, digits, dots and hyphens, separated by commas")
        if not value and info.field_name == "transcription_models":
            raise ValueError("at least one")
        return value

    @field_validator("transcription_key_terms", mode="before")
    @classmethod
    def _terms(cls, value: object) -> object:
        return key_terms.key_terms(value) if isinstance(value, str) else value

    @field_validator("transcription_key_terms")
    @classmethod
    def _as_many_as_are_taken(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        key_terms.check(value, info.data.get("transcription_models", ()))
        return value

    @field_validator("web_origins", mode="before")
    @classmethod
    def _origins(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(origin.strip() for origin in value.split(",") if origin.strip())

    @field_validator("web_origins")
    @classmethod
    def _no_wildcard(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(re.fullmatch(r"https?://[a-z0-9.:-]+", origin) for origin in value):
            raise ValueError("origins such as https://app.example.com, separated by commas")
        return value

    @field_validator("webhook_allowed_ips", mode="before")
    @classmethod
    def _addresses(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return [address.strip() for address in value.split(",") if address.strip()]

    @field_validator("openai_api_key")
    @classmethod
    def _key_of_the_summarizer(
        cls, value: SecretStr | None, info: ValidationInfo
    ) -> SecretStr | None:
        if value is None and info.data.get("summarizer") == "openai":
            raise ValueError("needed, unless SUMMARIZER=rules")
        return value

    @property
    def location(self) -> str:
        """`projects/P/locations/L`: where the queues and the scheduled calls are."""
        return self.summary_queue.partition("/queues/")[0]

    @property
    def webhook_secrets(self) -> tuple[str, ...]:
        """The secrets accepted now: the present one and, during a rotation, the previous one."""
        accepted = (self.webhook_secret, self.webhook_secret_previous)
        return tuple(secret.get_secret_value() for secret in accepted if secret)


@cache
def settings() -> Settings:
    """The settings of this process.

    Raises:
        SettingsError: variables are missing or bad.
    """
    return read()


def require() -> None:
    """End this process with the message of `SettingsError` unless `settings` can be read.

    An instance that could serve no request never becomes ready, so no traffic reaches it.
    """
    try:
        settings()
    except SettingsError as error:
        raise SystemExit(str(error)) from None


def read(**overrides: object) -> Settings:
    """The settings in the environment, with `overrides` by field name.

    Raises:
        SettingsError: variables are missing or bad.
    """
    problems = dict.fromkeys(_emulators_in_the_cloud(), "for a local stack alone, not in the cloud")
    try:
        found = Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        # The original error is not chained: it would quote values.
        problems = _named(error) | problems
    if not problems:
        return found
    lines = (f"  {name}: {problem}" for name, problem in sorted(problems.items()))
    raise SettingsError("Please mend these variables:\n" + "\n".join(lines))


def _named(error: ValidationError) -> dict[str, str]:
    """The problem of each bad variable, by its name."""
    problems = error.errors(include_input=False, include_url=False)
    return {str(problem["loc"][0]).upper(): problem["msg"] for problem in problems}


def _region_of(queue: str) -> str:
    """The region in a queue's name, which is the deployment's."""
    return queue.split("/")[3]


def _in_the_cloud() -> bool:
    """Whether Cloud Run runs this process: it always sets K_SERVICE, and the local stack never."""
    return "K_SERVICE" in os.environ


def _emulators_in_the_cloud() -> list[str]:
    """The emulator addresses that Cloud Run has: an SDK would send patients' data there.

    The SDKs read such variables by themselves, so variables outside of the settings count as well.
    """
    if not _in_the_cloud():
        return []
    return [
        name.upper()
        for name, value in os.environ.items()
        if value and name.upper().endswith("_EMULATOR_HOST")
    ]
