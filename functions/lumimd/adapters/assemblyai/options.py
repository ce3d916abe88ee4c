"""The options of a deployment for its orders, and the webhook that they ask for."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from lumimd.domain.audio import AudioLimits

MODELS: Final = ("universal-3-5-pro", "universal-2")
"""In order of preference: the first knows 18 languages, the second takes the others."""

WEBHOOK_HEADER: Final = "X-LumiMD-Webhook-Secret"
"""The provider signs nothing; it sends one header of our choice (AssemblyAI, webhooks)."""


LIMITS: Final = AudioLimits(max_bytes=5 * 1024**3, min_seconds=0.160, max_seconds=10 * 3600)
"""5 GB or 10 h a file, at least 160 ms (AssemblyAI, supported files)."""


@dataclass(frozen=True)
class Options:
    """Options of a deployment. `domain` and `key_terms` cost more, and are off by default.

    `languages` are the possible languages of a recording; empty means all.
    """

    models: tuple[str, ...] = MODELS
    domain: str | None = None
    key_terms: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()


@dataclass(frozen=True)
class Webhook:
    """The webhook for finished jobs: our URL and our secret."""

    url: str
    secret: str

    def request_fields(self, visit_id: str, attempt: int) -> dict[str, str]:
        """The fields of an order that ask for the webhook; the URL names visit and attempt."""
        query = urlencode({"visit": visit_id, "attempt": attempt})
        return {
            "webhook_url": f"{self.url}?{query}",
            "webhook_auth_header_name": WEBHOOK_HEADER,
            "webhook_auth_header_value": self.secret,
        }
