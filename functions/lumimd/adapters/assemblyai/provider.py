"""AssemblyAI as the vendor of transcripts: settings, limits, webhook and health check."""

from typing import ClassVar, Final, Literal

from pydantic import ValidationInfo, field_validator

from lumimd.adapters.assemblyai.options import MODELS, WEBHOOK_HEADER, Options, Webhook
from lumimd.adapters.environment import URL, HeaderSecret, Names, Terms, Variables
from lumimd.policies.residency import Endpoint
from lumimd.ports.health_check import Check
from lumimd.ports.transcriber import Transcriber

MOST_TERMS: Final = 1000
"""The most key terms of a paid job; 200 if it names the older model alone."""

MOST_TERMS_OF_UNIVERSAL_2: Final = 200

MOST_WORDS: Final = 6
"""The most words of one key term."""


class TranscriptionProvider(Variables):
    """AssemblyAI's settings; `transcription_domain` and key terms cost more (off by default).

    `transcription_languages` are the possible languages of a recording; empty means all.
    """

    concurrency: ClassVar = 200
    webhook_header: ClassVar = WEBHOOK_HEADER

    assemblyai_api_key: HeaderSecret
    assemblyai_base_url: URL = "https://api.assemblyai.com"
    transcription_models: Names = MODELS
    transcription_domain: Literal["medical-v1"] | None = None
    transcription_languages: Names = ()
    transcription_key_terms: Terms = ()

    @field_validator("transcription_models")
    @classmethod
    def _at_least_one(cls, models: tuple[str, ...]) -> tuple[str, ...]:
        if not models:
            raise ValueError("at least one")
        return models

    @field_validator("transcription_key_terms")
    @classmethod
    def _within_the_limits(cls, terms: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        is_older = set(info.data.get("transcription_models", ())) == {"universal-2"}
        most = MOST_TERMS_OF_UNIVERSAL_2 if is_older else MOST_TERMS
        if len(terms) > most:
            raise ValueError(f"at most {most} terms")
        if any(len(term.split()) > MOST_WORDS for term in terms):
            raise ValueError(f"at most {MOST_WORDS} words a term")
        return terms

    @property
    def endpoint(self) -> Endpoint:
        """AssemblyAI's endpoint (its documentation, cloud endpoints and data residency)."""
        return Endpoint(
            "ASSEMBLYAI_BASE_URL",
            self.assemblyai_base_url,
            domain="assemblyai.com",
            in_europe="api.eu.assemblyai.com",
        )

    def transcriber(self, webhook_url: str | None, secret: str) -> Transcriber:
        """Return the adapter over AssemblyAI's SDK."""
        from lumimd.adapters.assemblyai.transcriber import AssemblyAITranscriber

        return AssemblyAITranscriber(
            api_key=self._key,
            base_url=self.assemblyai_base_url,
            webhook=Webhook(webhook_url, secret) if webhook_url else None,
            options=Options(
                models=self.transcription_models,
                domain=self.transcription_domain,
                key_terms=self.transcription_key_terms,
                languages=self.transcription_languages,
            ),
        )

    @staticmethod
    def ended_job(body: object) -> object:
        """Return the body's `transcript_id` (AssemblyAI, webhooks)."""
        return body.get("transcript_id") if isinstance(body, dict) else None

    async def uploaded(self, content: bytes) -> str:
        """Upload a recording, and return the URL of the copy.

        Only AssemblyAI can read the copy, and it decides when the copy expires.
        """
        from lumimd.adapters.assemblyai.upload import uploaded

        return await uploaded(self._key, self.assemblyai_base_url, content)

    def check(self) -> Check:
        """Return a check that lists one job: it tests the address, the service and the key."""
        from lumimd.adapters.provider_checks import answers

        url = f"{self.assemblyai_base_url}/v2/transcript"
        return answers(url, headers={"authorization": self._key}, params={"limit": "1"})

    @property
    def _key(self) -> str:
        return self.assemblyai_api_key.get_secret_value()
