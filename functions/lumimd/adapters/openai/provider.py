"""OpenAI, or a server with its API, as the vendor of summaries: settings and health check."""

from typing import Final, Literal

from pydantic import Field

from lumimd.adapters.environment import URL, HeaderSecret, Variables
from lumimd.policies.residency import Endpoint, Region
from lumimd.ports.health_check import Check
from lumimd.ports.summarizer import Summarizer

MOST_ANSWER_TOKENS: Final = 64_000
"""The largest token budget of a first request; the second request may have twice as many.

Most models write at most 128,000 tokens.
"""


class SummaryProvider(Variables):
    """OpenAI's settings. `openai_server_region` is the region of a server other than OpenAI's."""

    openai_api_key: HeaderSecret
    openai_base_url: URL = "https://api.openai.com/v1"
    openai_server_region: Region | None = None
    openai_model: str = Field("gpt-6-luna", pattern=r"^\S+$")
    openai_answer_tokens: int = Field(16_000, ge=1_000, le=MOST_ANSWER_TOKENS)
    openai_reasoning_effort: (
        Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None
    ) = None

    @property
    def endpoint(self) -> Endpoint:
        """OpenAI's endpoint; the European one needs a key of a project in that region."""
        return Endpoint(
            "OPENAI_BASE_URL",
            self.openai_base_url,
            domain="openai.com",
            in_europe="eu.api.openai.com",
            own_server=self.openai_server_region,
        )

    def summarizer(self) -> Summarizer:
        """Return the adapter over OpenAI's SDK."""
        from lumimd.adapters.openai.summarizer import OpenAISummarizer

        return OpenAISummarizer(
            api_key=self.openai_api_key.get_secret_value(),
            base_url=self.openai_base_url,
            model=self.openai_model,
            answer_tokens=self.openai_answer_tokens,
            reasoning_effort=self.openai_reasoning_effort,
        )

    def check(self) -> Check:
        """Return a check that lists the models."""
        from lumimd.adapters.provider_checks import answers

        url = f"{self.openai_base_url.rstrip('/')}/models"
        key = self.openai_api_key.get_secret_value()
        return answers(url, headers={"Authorization": f"Bearer {key}"})
