"""The ports to the vendors of transcripts and summaries: their settings and their adapters.

Each vendor is a package `adapters/NAME` whose module `provider` has a class `TranscriptionProvider`
or `SummaryProvider` with these members (docs/adding-a-provider.md).
"""

from typing import ClassVar, Protocol

from lumimd.policies.residency import Endpoint
from lumimd.ports.health_check import Check
from lumimd.ports.summarizer import Summarizer
from lumimd.ports.transcriber import Transcriber


class Provider(Protocol):
    """The members that both kinds of vendor have."""

    @property
    def endpoint(self) -> Endpoint:
        """The address to which recordings or transcripts are sent."""
        ...

    def check(self) -> Check:
        """Return the health check of the vendor: one small, free request."""
        ...


class TranscriptionProvider(Provider, Protocol):
    """A vendor of transcripts, chosen by `TRANSCRIBER=NAME`."""

    concurrency: ClassVar[int]
    """The jobs that the vendor runs at the same time, unless an account has another limit."""

    webhook_header: ClassVar[str]
    """The header in which the vendor returns our webhook secret."""

    def transcriber(self, webhook_url: str | None, secret: str) -> Transcriber:
        """Return the adapter; without a URL the vendor calls no webhook."""
        ...

    @staticmethod
    def ended_job(body: object) -> object:
        """Return the unchecked id of the ended job from the body of a webhook call."""
        ...

    async def uploaded(self, content: bytes) -> str:
        """Upload a recording that the vendor cannot fetch, and return its URL at the vendor."""
        ...


class SummaryProvider(Provider, Protocol):
    """A vendor of a language model, chosen by `SUMMARIZER=NAME`."""

    def summarizer(self) -> Summarizer:
        """Return the adapter."""
        ...
