"""Parse requests of callers into domain terms; return None for an invalid request."""

import hmac
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from pydantic import (
    Field,
    ValidationError,
)

from lumimd.adapters.inbound import _Inbound
from lumimd.domain.errors import Rejected
from lumimd.domain.ids import ID


class SummaryTask(_Inbound):
    """The body of a task, which contains only ids."""

    visit_id: str = Field(pattern=ID)
    attempt: int = Field(ge=1)


def summary_task_of(body: object) -> SummaryTask | None:
    """Return the ids in a task's body; None when the body is invalid."""
    try:
        return SummaryTask.model_validate(body)
    except ValidationError:
        return None


class Hint(_Inbound):
    """The content of a webhook call with our secret: a job has ended."""

    visit: str = Field(pattern=ID)
    attempt: int = Field(ge=1)
    transcript_id: str = Field(pattern=ID, alias="transcript_id")


def hint_of(query: Mapping[str, str], transcript_id: object) -> Hint | None:
    """Return visit and attempt of our URL with the provider's job; None if a part is missing."""
    try:
        return Hint.model_validate({**query, "transcript_id": transcript_id})
    except ValidationError:
        return None


def check_webhook_caller(
    secret: str | None,
    forwarded_for: str | None,
    *,
    accepted_secrets: Iterable[str],
    allowed_ips: frozenset[IPv4Address | IPv6Address],
) -> None:
    """Admit only the provider, which knows a secret and calls from its own addresses.

    The platform appends the caller's address to X-Forwarded-For, so only the last address counts,
    and `forwarded_for` holds every line of that header (`whole_header`). A comparison takes the
    same time for every wrong secret.

    Raises:
        Rejected: the caller is not the provider.
    """
    told = (secret or "").encode()
    matches = [hmac.compare_digest(told, accepted.encode()) for accepted in accepted_secrets]
    if not any(matches):
        raise Rejected
    if allowed_ips and _last_address(forwarded_for) not in allowed_ips:
        raise Rejected


def whole_header(lines: Iterable[str]) -> str | None:
    """Join all lines of a header to one value, in their order; return None if there is no line.

    Several lines of a header mean the same as one line with commas (RFC 9110, 5.3).
    """
    return ", ".join(lines) or None


def _last_address(forwarded_for: str | None) -> Any:
    try:
        return ip_address((forwarded_for or "").rpartition(",")[2].strip())
    except ValueError:
        return None
