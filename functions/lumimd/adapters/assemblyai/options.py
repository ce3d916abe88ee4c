"""The options of a deployment for its paid jobs, and the webhook that the jobs request."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from lumimd.domain.audio import AudioLimits

MODELS: Final = ("universal-3-5-pro", "universal-2")
"""The models in order of preference: the first knows 18 languages, the second knows the others."""

WEBHOOK_HEADER: Final = "X-LumiMD-Webhook-Secret"
"""The header with our secret; the provider signs nothing, but sends one header of our choice."""


LIMITS: Final = AudioLimits(max_bytes=5 * 1024**3, min_seconds=0.160, max_seconds=10 * 3600)
"""At most 5 GB or 10 h per file, at least 160 ms (AssemblyAI, supported files)."""


@dataclass(frozen=True)
class Options:
    """The options of a deployment. `domain` and `key_terms` cost more, and are off by default.

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
        """Return the order's fields that request the webhook; its URL names visit and attempt."""
        query = urlencode({"visit": visit_id, "attempt": attempt})
        return {
            "webhook_url": f"{self.url}?{query}",
            "webhook_auth_header_name": WEBHOOK_HEADER,
            "webhook_auth_header_value": self.secret,
        }
