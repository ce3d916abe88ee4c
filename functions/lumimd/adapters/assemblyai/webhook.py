"""The provider's webhook: its header and its body."""

from collections.abc import Mapping
from typing import Final

from pydantic import (
    Field,
    ValidationError,
)

from lumimd.adapters.inbound import _Inbound
from lumimd.domain.ids import ID

WEBHOOK_HEADER: Final = "X-LumiMD-Webhook-Secret"
"""The provider signs nothing; it sends one header of our choice (AssemblyAI, webhooks)."""


class Hint(_Inbound):
    """A webhook call with our secret: a job has ended."""

    visit: str = Field(pattern=ID)
    attempt: int = Field(ge=1)
    transcript_id: str = Field(pattern=ID, alias="transcript_id")


def hint_of(query: Mapping[str, str], body: object) -> Hint | None:
    """The visit, attempt and job of a webhook call; None if one of them is missing."""
    fields = body if isinstance(body, dict) else {}
    try:
        return Hint.model_validate({**query, "transcript_id": fields.get("transcript_id")})
    except ValidationError:
        return None
