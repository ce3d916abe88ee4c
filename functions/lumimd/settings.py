"""The settings of one deployment: one frozen model, read from the environment once.

Every missing or bad variable is reported at once, by name; values are never printed.
"""

import os
import re
from functools import cache
from typing import Annotated, Literal

from pydantic import (
    Field,
    IPvAnyAddress,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from lumimd import key_terms
from lumimd.resilience.rate_limit_policies import Tier


class SettingsError(Exception):
    """The environment does not describe a deployment; the message names every variable to mend."""


class Settings(BaseSettings):
    """What `.env.example` documents, variable by variable."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True
    )

    google_cloud_project: str
    firestore_emulator_host: str | None = None
    storage_emulator_host: str | None = None
    audio_bucket: str

    summary_queue: str = Field(pattern=r"^projects/[^/]+/locations/[^/]+/queues/[^/]+$")
    summarize_url: str = Field(pattern=r"^https?://")
    tasks_service_account: str = Field(pattern=r"^[^@\s]+@[^@\s]+$")
    cloud_tasks_emulator_host: str | None = None
    cloud_scheduler_emulator_host: str | None = None

    transcription_concurrency: int = Field(200, ge=1)
    audio_handover: Literal["signed_url", "upload"] = "signed_url"
    assemblyai_api_key: SecretStr
    assemblyai_base_url: str = Field("https://api.assemblyai.com", pattern=r"^https?://")
    transcription_models: Annotated[tuple[str, ...], NoDecode] = (
        "universal-3-5-pro",
        "universal-2",
    )
    transcription_domain: Literal["medical-v1"] | None = None
    transcription_languages: Annotated[tuple[str, ...], NoDecode] = ()
    transcription_key_terms: Annotated[tuple[str, ...], NoDecode] = ()

    webhook_url: str | None = Field(None, pattern=r"^https?://")
    webhook_secret: SecretStr = Field(min_length=16)
    webhook_secret_previous: SecretStr | None = Field(None, min_length=16)
    webhook_allowed_ips: Annotated[frozenset[IPvAnyAddress], NoDecode] = frozenset()

    default_tier: Tier = Tier.FREE
    require_consent: bool = True
    audio_retention_days: int = Field(30, ge=1)
    transcript_retention_days: int | None = Field(None, ge=1)
    expire_unfinished_after_days: int = Field(7, ge=1)

    summarizer: Literal["openai", "rules"] = "openai"
    openai_api_key: SecretStr | None = Field(None, validate_default=True)
    openai_base_url: str | None = Field(None, pattern=r"^https?://")
    openai_model: str = "gpt-4o-mini"

    web_origins: Annotated[tuple[str, ...], NoDecode] = ()
    firebase_auth_emulator_host: str | None = None
    local_token_secret: SecretStr | None = Field(None, min_length=32)

    @field_validator("firebase_auth_emulator_host", "local_token_secret")
    @classmethod
    def _nowhere_but_here(cls, value: object, info: ValidationInfo) -> object:
        """Either lets in whoever knows how to write a token, so the cloud must never have it."""
        if value is None:
            return None
        if info.data.get("firestore_emulator_host") is None or "K_SERVICE" in os.environ:
            raise ValueError("for a local stack alone, where FIRESTORE_EMULATOR_HOST is set")
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
        """The secrets accepted now: the present one and, while it rotates, the one before."""
        accepted = (self.webhook_secret, self.webhook_secret_previous)
        return tuple(secret.get_secret_value() for secret in accepted if secret)


@cache
def settings() -> Settings:
    """The settings of this process.

    Raises:
        SettingsError: variables are missing or bad.
    """
    return read()


def read(**overrides: object) -> Settings:
    """The settings in the environment, with `overrides` by field name.

    Raises:
        SettingsError: variables are missing or bad.
    """
    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        problems = sorted(
            f"  {str(problem['loc'][0]).upper()}: {problem['msg']}"
            for problem in error.errors(include_input=False, include_url=False)
        )
        # `from None`: the original error would quote values.
        raise SettingsError("Please mend these variables:\n" + "\n".join(problems)) from None
