"""Read the settings of one deployment and of its two providers from the environment, once.

All missing and bad variables are reported together, by name; values are never printed.
"""

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Final, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    IPvAnyAddress,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import NoDecode

from lumimd.adapters.environment import URL, HeaderSecret, Terms, Variables, is_in_the_cloud, split
from lumimd.policies.tiers import Tier
from lumimd.ports.providers import Provider, SummaryProvider, TranscriptionProvider
from lumimd.runtime import providers

DAYS: Final = 36_500  # a hundred years, because more days would overflow a date

Addresses = Annotated[frozenset[IPvAnyAddress], NoDecode, BeforeValidator(split)]


class SettingsError(Exception):
    """The environment has missing or bad variables; the message names each one."""


class Choice(Variables):
    """The names of the two providers."""

    transcriber: str = "assemblyai"
    summarizer: str = "openai"


class Settings(Choice):
    """The variables of a deployment; `.env.example` documents each of them."""

    google_cloud_project: str = Field(pattern=r"^[^\s/]+$")
    firestore_emulator_host: str | None = None
    storage_emulator_host: str | None = None
    audio_bucket: str = Field(pattern=r"^[^\s/:]+$")

    summary_queue: str = Field(pattern=r"^projects/[^/]+/locations/[^/]+/queues/[^/]+$")
    summarize_url: URL
    tasks_service_account: str = Field(pattern=r"^[^@\s]+@[^@\s]+$")
    cloud_tasks_emulator_host: str | None = None
    cloud_scheduler_emulator_host: str | None = None

    transcription_concurrency: int | None = Field(None, ge=1)
    audio_handover: Literal["signed_url", "upload"] = "signed_url"

    webhook_url: URL | None = None
    webhook_secret: HeaderSecret = Field(min_length=16)
    webhook_secret_previous: HeaderSecret | None = Field(None, min_length=16)
    webhook_allowed_ips: Addresses = frozenset()

    default_tier: Tier = Tier.FREE
    require_consent: bool = True
    audio_retention_days: int = Field(30, ge=1, le=DAYS)
    transcript_retention_days: int | None = Field(None, ge=1, le=DAYS)
    expire_unfinished_after_days: int = Field(7, ge=1, le=DAYS)

    web_origins: Terms = ()
    firebase_auth_emulator_host: str | None = None
    local_token_secret: SecretStr | None = Field(None, min_length=32)

    @field_validator("firebase_auth_emulator_host", "local_token_secret")
    @classmethod
    def _nowhere_but_here(cls, value: object, info: ValidationInfo) -> object:
        """Refuse a value in the cloud, because any caller could then write a valid token."""
        if value is None:
            return None
        if info.data.get("firestore_emulator_host") is None or is_in_the_cloud():
            raise ValueError("for a local stack alone, where FIRESTORE_EMULATOR_HOST is set")
        return value

    @field_validator("transcriber", "summarizer")
    @classmethod
    def _known(cls, name: str, info: ValidationInfo) -> str:
        providers.load(str(info.field_name), name)
        return name

    @field_validator("web_origins")
    @classmethod
    def _no_wildcard(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(re.fullmatch(r"https?://[a-z0-9.:-]+", origin) for origin in value):
            raise ValueError("origins such as https://app.example.com, separated by commas")
        return value

    @property
    def location(self) -> str:
        """The place of the queues and the scheduled calls: `projects/P/locations/L`."""
        return self.summary_queue.partition("/queues/")[0]

    @property
    def webhook_secrets(self) -> tuple[str, ...]:
        """The secrets accepted now: the present one and, during a rotation, the previous one."""
        accepted = (self.webhook_secret, self.webhook_secret_previous)
        return tuple(secret.get_secret_value() for secret in accepted if secret)


@dataclass(frozen=True)
class Deployment:
    """The settings of a deployment and of its providers; without `model` the rules summarize."""

    settings: Settings
    transcription: TranscriptionProvider
    model: SummaryProvider | None


@cache
def deployment() -> Deployment:
    """Return the settings of this process, read once.

    Raises:
        SettingsError: variables are missing or bad.
    """
    return read()


def require() -> None:
    """End this process with the message of `SettingsError` if the settings are bad.

    So an instance with bad settings never becomes ready, and no traffic reaches it.
    """
    try:
        deployment()
    except SettingsError as error:
        raise SystemExit(str(error)) from None


def read(**overrides: object) -> Deployment:
    """Read the deployment from the environment, with `overrides` by field name.

    Raises:
        SettingsError: variables are missing or bad.
    """
    problems = dict.fromkeys(_emulators_in_the_cloud(), "for a local stack alone, not in the cloud")
    models: dict[str, Any] = {"settings": Settings}
    chosen = Choice(**overrides)  # type: ignore[arg-type]
    for part, kind in (("transcription", "transcriber"), ("model", "summarizer")):
        with suppress(ValueError):  # `Settings` reports an unknown name
            models[part] = providers.load(kind, getattr(chosen, kind))
    found: dict[str, Any] = {}
    for part, model in models.items():
        try:
            found[part] = model and model(**overrides)
        except ValidationError as error:
            # The original error is not chained, because it quotes values.
            problems |= _named(error)
    for provider in (found.get("transcription"), found.get("model")):
        if provider is not None and "settings" in found:
            problems |= _misplaced(provider, found["settings"])
    if not problems:
        return Deployment(**found)
    lines = (f"  {name}: {problem}" for name, problem in sorted(problems.items()))
    raise SettingsError("Please mend these variables:\n" + "\n".join(lines))


def variables() -> frozenset[str]:
    """Return the names of all variables, including those of every provider's package."""
    models: list[type[BaseModel]] = [Settings, *providers.settings_of_all()]
    return frozenset(name.upper() for model in models for name in model.model_fields)


def _misplaced(provider: Provider, settings: Settings) -> dict[str, str]:
    """Return the problem with the region of the provider's address, if any."""
    endpoint = provider.endpoint
    problem = endpoint.misplaced(settings.location.rpartition("/")[2])
    return {endpoint.variable: problem} if problem and is_in_the_cloud() else {}


def _named(error: ValidationError) -> dict[str, str]:
    """Return the problem of each bad variable, by its name."""
    problems = error.errors(include_input=False, include_url=False)
    return {str(problem["loc"][0]).upper(): problem["msg"] for problem in problems}


def _emulators_in_the_cloud() -> list[str]:
    """Return emulator addresses set on Cloud Run: an SDK would send patients' data there.

    The SDKs read such variables directly, so variables outside of the settings count as well.
    """
    if not is_in_the_cloud():
        return []
    return [
        name.upper()
        for name, value in os.environ.items()
        if value and name.upper().endswith("_EMULATOR_HOST")
    ]
