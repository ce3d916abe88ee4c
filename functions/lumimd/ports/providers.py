"""A vendor of transcripts or summaries: its settings, and the adapters that they build.

Each vendor is a package `adapters/NAME` whose module `provider` has a class
`TranscriptionProvider` or `SummaryProvider` with these members (docs/adding-a-provider.md).
"""

from typing import ClassVar, Protocol

from lumimd.policies.residency import Endpoint
from lumimd.ports.health_check import Check
from lumimd.ports.summarizer import Summarizer
from lumimd.ports.transcriber import Transcriber


class Provider(Protocol):
    """What both kinds of vendor have."""

    @property
    def endpoint(self) -> Endpoint:
        """The address that recordings or transcripts are sent to."""
        ...

    def check(self) -> Check:
        """The health check: one small, free request."""
        ...


class TranscriptionProvider(Provider, Protocol):
    """A vendor of transcripts, chosen by `TRANSCRIBER=NAME`."""

    concurrency: ClassVar[int]
    """Jobs that the vendor works on at the same time, unless an account has another limit."""

    webhook_header: ClassVar[str]
    """The header in which the vendor returns our webhook secret."""

    def transcriber(self, webhook_url: str | None, secret: str) -> Transcriber:
        """The adapter; without a URL the vendor calls no webhook."""
        ...

    @staticmethod
    def ended_job(body: object) -> object:
        """The id of the ended job in the body of a webhook call; unchecked."""
        ...

    async def uploaded(self, content: bytes) -> str:
        """Upload a recording, for a bucket out of the vendor's reach; its URL at the vendor."""
        ...


class SummaryProvider(Provider, Protocol):
    """A vendor of a language model, chosen by `SUMMARIZER=NAME`."""

    def summarizer(self) -> Summarizer:
        """The adapter."""
        ...
