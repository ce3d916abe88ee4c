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
"""The provider signs nothing; it sends one header that we choose (AssemblyAI, webhooks)."""


class Hint(_Inbound):
    """Somebody who knows our secret says that a job has ended."""

    visit: str = Field(pattern=ID)
    attempt: int = Field(ge=1)
    transcript_id: str = Field(pattern=ID, alias="transcript_id")


def hint_of(query: Mapping[str, str], body: object) -> Hint | None:
    """What a webhook call is about; None when it names no visit or job."""
    told = body if isinstance(body, dict) else {}
    try:
        return Hint.model_validate({**query, "transcript_id": told.get("transcript_id")})
    except ValidationError:
        return None
