"""Classify OpenAI's error responses by one table, whose first matching row counts.

An error is an account or configuration fault, a problem of the transcript, or transient. `name` is
the error's code or its type. Sources, read in November 2026: the guide to error codes and the rate
limits of OpenAI's documentation, the errors of Azure OpenAI, and the answers of vLLM and llama.cpp.

An unknown 400 or 422 may be caused by one transcript or by every request. So the visit waits and is
retried, its tries are counted, and the breaker opens if every visit gets that response. Then the
error neither fails all visits nor lets one visit wait permanently.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from lumimd.domain import errors
from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import DeploymentFault, NotCharged, Permanent, ProviderRefuses, Transient


class Passing(StrEnum):
    """Trouble that passes: the call may succeed later."""

    NOTHING_WAS_DONE = "nothing_was_done"
    MAY_HAVE_ANSWERED = "may_have_answered"
    """A gateway timed out, but the model continues and the call is charged."""


Meaning = DeploymentFault | ErrorCode | Passing


@dataclass(frozen=True)
class Row:
    """One row of the table. None matches every status, or every name."""

    status: int | None
    name: str | None
    meaning: Meaning


_TOO_LONG: Final = ErrorCode.SUMMARY_TRUNCATED
_REFUSED: Final = ErrorCode.SUMMARY_REFUSED
_D: Final = DeploymentFault

TABLE: Final = (
    # Causes in this transcript.
    Row(None, "context_length_exceeded", _TOO_LONG),
    Row(None, "exceed_context_size_error", _TOO_LONG),  # llama.cpp
    Row(None, "string_above_max_length", _TOO_LONG),
    Row(413, None, _TOO_LONG),
    Row(None, "content_filter", _REFUSED),  # Azure
    Row(None, "content_policy_violation", _REFUSED),
    Row(None, "invalid_prompt", _REFUSED),
    # Account faults.
    Row(None, "insufficient_quota", _D.QUOTA_EXHAUSTED),
    Row(None, "billing_hard_limit_reached", _D.QUOTA_EXHAUSTED),
    Row(None, "billing_not_active", _D.UNPAID),
    Row(None, "credit_balance_exhausted", _D.UNPAID),
    Row(None, "access_terminated", _D.FORBIDDEN),
    Row(None, "account_deactivated", _D.FORBIDDEN),
    Row(None, "unsupported_country_region_territory", _D.FORBIDDEN),
    Row(None, "invalid_api_key", _D.KEY_REFUSED),
    # Configuration faults: the model, the route, and the parameters of every request.
    Row(None, "model_not_found", _D.MODEL_NOT_FOUND),
    Row(None, "model_not_available", _D.MODEL_NOT_FOUND),
    Row(None, "model_deprecated", _D.MODEL_NOT_FOUND),
    Row(None, "invalid_model", _D.MODEL_NOT_FOUND),
    Row(None, "DeploymentNotFound", _D.MODEL_NOT_FOUND),  # Azure
    Row(None, "unknown_url", _D.ROUTE_NOT_FOUND),
    Row(None, "unsupported_parameter", _D.REQUEST_REFUSED),
    Row(None, "unsupported_value", _D.REQUEST_REFUSED),
    Row(None, "unknown_parameter", _D.REQUEST_REFUSED),
    Row(None, "missing_required_parameter", _D.REQUEST_REFUSED),
    Row(None, "invalid_json_schema", _D.REQUEST_REFUSED),
    # The status decides where the name is unknown.
    Row(400, None, Passing.NOTHING_WAS_DONE),
    Row(401, None, _D.KEY_REFUSED),
    Row(402, None, _D.UNPAID),
    Row(403, None, _D.FORBIDDEN),
    Row(404, None, _D.ROUTE_NOT_FOUND),
    Row(405, None, _D.ROUTE_NOT_FOUND),
    Row(410, None, _D.ROUTE_NOT_FOUND),
    Row(408, None, Passing.NOTHING_WAS_DONE),
    Row(409, None, Passing.NOTHING_WAS_DONE),
    Row(422, None, Passing.NOTHING_WAS_DONE),
    Row(425, None, Passing.NOTHING_WAS_DONE),
    Row(429, None, Passing.NOTHING_WAS_DONE),
    Row(504, None, Passing.MAY_HAVE_ANSWERED),
    Row(524, None, Passing.MAY_HAVE_ANSWERED),  # a gateway of Cloudflare
)

PARAMETERS: Final[Mapping[str, Meaning]] = {
    "messages": ErrorCode.SUMMARY_INVALID,
    "model": _D.MODEL_NOT_FOUND,
}
"""The meaning of an error that names only a parameter. `messages` holds the transcript; every
other parameter is the same for every visit."""

_NAMES_A_PARAMETER: Final = frozenset({400, 404, 422})


def meaning_of(status: int, names: tuple[str | None, ...], parameter: str | None) -> Meaning:
    """Return the meaning of an error response; `names` are the error's code and its type."""
    for row in TABLE:
        if row.name in names and row.name is not None and row.status in (None, status):
            return row.meaning
    if parameter and status in _NAMES_A_PARAMETER:
        return PARAMETERS.get(parameter.partition("[")[0], _D.REQUEST_REFUSED)
    for row in TABLE:
        if row.name is None and row.status == status:
            return row.meaning
    return Passing.NOTHING_WAS_DONE if status >= 500 else _D.REQUEST_REFUSED


def error_of(meaning: Meaning, retry_after_s: float | None) -> Transient | Permanent:
    """Return our own error of that meaning."""
    match meaning:
        case DeploymentFault():
            unavailable = ErrorCode.SUMMARY_UNAVAILABLE
            return ProviderRefuses(unavailable, meaning, retry_after_s=retry_after_s)
        case ErrorCode():
            return NotCharged(meaning)
        case Passing.MAY_HAVE_ANSWERED:
            return errors.Unanswered(ErrorCode.SUMMARY_UNAVAILABLE, retry_after_s=retry_after_s)
        case Passing.NOTHING_WAS_DONE:
            return Transient(ErrorCode.SUMMARY_UNAVAILABLE, retry_after_s=retry_after_s)
