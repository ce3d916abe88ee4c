"""The answers to requests that are not done: `application/problem+json` (RFC 9457).

Each answer carries a code from a closed list and a sentence, and where waiting helps, a
Retry-After. No sentence quotes the request, which is full of words of a visit. `faults` names the
fields.
"""

from collections.abc import Mapping
from enum import StrEnum
from http import HTTPStatus
from math import ceil
from typing import Any, Final

from fastapi.responses import JSONResponse
from pydantic import Field

from lumimd.domain.document import Document
from lumimd.domain.errors import REFUSALS, RefusalCode

MEDIA_TYPE: Final = "application/problem+json"


class ProblemCode(StrEnum):
    """The closed list. A client decides by the code, never by the sentence."""

    UNAUTHENTICATED = "unauthenticated"
    TOKEN_EXPIRED = "token_expired"
    TOKEN_REVOKED = "token_revoked"
    ACCOUNT_DISABLED = "account_disabled"
    UNUSABLE_USER_ID = "unusable_user_id"
    FORBIDDEN = "forbidden"
    URGENT_NOT_INCLUDED = "urgent_not_included"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    INVALID_REQUEST = "invalid_request"
    BODY_TOO_LARGE = "body_too_large"
    IDEMPOTENCY_KEY_REUSED = "idempotency_key_reused"
    REQUEST_IN_PROGRESS = "request_in_progress"
    CHANGED_MEANWHILE = "changed_meanwhile"
    ACTION_REPLACED = "action_replaced"
    RATE_LIMITED = "rate_limited"
    UNAVAILABLE = "unavailable"
    DOCUMENT_UNREADABLE = "document_unreadable"
    INTERNAL_ERROR = "internal_error"

    # Refusals of a visit (errors.RefusalCode).
    STILL_PROCESSING = "still_processing"
    RETRY_TOO_SOON = "retry_too_soon"
    NOTHING_TO_RETRY = "nothing_to_retry"
    NO_TRANSCRIPT = "no_transcript"
    ALREADY_OVER = "already_over"
    LEGAL_HOLD = "legal_hold"


REFUSED: Final[Mapping[RefusalCode, ProblemCode]] = {
    code: ProblemCode(code) for code in RefusalCode if code is not RefusalCode.VISIT_NOT_FOUND
} | {RefusalCode.VISIT_NOT_FOUND: ProblemCode.NOT_FOUND}
"""A missing visit and another user's visit look the same."""

STATUS: Final[Mapping[ProblemCode, HTTPStatus]] = {
    ProblemCode.UNAUTHENTICATED: HTTPStatus.UNAUTHORIZED,
    ProblemCode.TOKEN_EXPIRED: HTTPStatus.UNAUTHORIZED,
    ProblemCode.TOKEN_REVOKED: HTTPStatus.UNAUTHORIZED,
    ProblemCode.ACCOUNT_DISABLED: HTTPStatus.FORBIDDEN,
    ProblemCode.UNUSABLE_USER_ID: HTTPStatus.FORBIDDEN,
    ProblemCode.FORBIDDEN: HTTPStatus.FORBIDDEN,
    ProblemCode.URGENT_NOT_INCLUDED: HTTPStatus.FORBIDDEN,
    ProblemCode.NOT_FOUND: HTTPStatus.NOT_FOUND,
    ProblemCode.METHOD_NOT_ALLOWED: HTTPStatus.METHOD_NOT_ALLOWED,
    ProblemCode.INVALID_REQUEST: HTTPStatus.UNPROCESSABLE_ENTITY,
    ProblemCode.BODY_TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    ProblemCode.IDEMPOTENCY_KEY_REUSED: HTTPStatus.UNPROCESSABLE_ENTITY,
    ProblemCode.REQUEST_IN_PROGRESS: HTTPStatus.CONFLICT,
    ProblemCode.CHANGED_MEANWHILE: HTTPStatus.CONFLICT,
    ProblemCode.ACTION_REPLACED: HTTPStatus.GONE,
    ProblemCode.RATE_LIMITED: HTTPStatus.TOO_MANY_REQUESTS,
    ProblemCode.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    ProblemCode.DOCUMENT_UNREADABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    ProblemCode.INTERNAL_ERROR: HTTPStatus.INTERNAL_SERVER_ERROR,
    ProblemCode.STILL_PROCESSING: HTTPStatus.CONFLICT,
    ProblemCode.RETRY_TOO_SOON: HTTPStatus.TOO_MANY_REQUESTS,
    ProblemCode.NOTHING_TO_RETRY: HTTPStatus.CONFLICT,
    ProblemCode.NO_TRANSCRIPT: HTTPStatus.CONFLICT,
    ProblemCode.ALREADY_OVER: HTTPStatus.CONFLICT,
    ProblemCode.LEGAL_HOLD: HTTPStatus.CONFLICT,
}

DETAILS: Final[Mapping[ProblemCode, str]] = {
    ProblemCode.UNAUTHENTICATED: "Please sign in.",
    ProblemCode.TOKEN_EXPIRED: "Your sign-in has expired. Please refresh it.",
    ProblemCode.TOKEN_REVOKED: "Your sign-in was ended. Please sign in again.",
    ProblemCode.ACCOUNT_DISABLED: "This account is disabled.",
    ProblemCode.UNUSABLE_USER_ID: (
        "The user id of this account holds a character that we cannot keep. Please tell support."
    ),
    ProblemCode.FORBIDDEN: "Only operators may do this.",
    ProblemCode.URGENT_NOT_INCLUDED: "Urgent processing is not part of your plan.",
    ProblemCode.NOT_FOUND: "This does not exist, or belongs to another user.",
    ProblemCode.METHOD_NOT_ALLOWED: "This path does not support this method.",
    ProblemCode.INVALID_REQUEST: (
        "The request is not valid: a field is missing, is unknown, or has a wrong value."
    ),
    ProblemCode.BODY_TOO_LARGE: "The request is too large.",
    ProblemCode.IDEMPOTENCY_KEY_REUSED: "This key was used for another request.",
    ProblemCode.REQUEST_IN_PROGRESS: "The same request is still being processed.",
    ProblemCode.CHANGED_MEANWHILE: "This was changed at the same moment. Please read it again.",
    ProblemCode.ACTION_REPLACED: (
        "The summary was made again, and this action item is not in it any more."
    ),
    ProblemCode.RATE_LIMITED: "Too many requests. Please wait.",
    ProblemCode.UNAVAILABLE: "This is not available at the moment. Please try again.",
    ProblemCode.DOCUMENT_UNREADABLE: "This cannot be read at the moment. It is safe.",
    ProblemCode.INTERNAL_ERROR: "Something went wrong on our side.",
    **{
        REFUSED[code]: sentence
        for code, sentence in REFUSALS.items()
        if code is not RefusalCode.VISIT_NOT_FOUND
    },
}
"""One plain sentence per code, without technical terms or words of a request."""


class Fault(Document):
    """One fault of a request: its field, and the rule that it broke. Never the value."""

    where: str = Field(
        description="For example 'body.title', 'query.limit', or the unknown 'body.due_date'."
    )
    rule: str = Field(description="For example 'missing' or 'string_too_long'.")


class ProblemDocument(Document):
    """The body of every answer that is not a success (RFC 9457)."""

    type: str = Field(description="'urn:lumimd:problem:' and the code.")
    title: str = Field(description="The meaning of the HTTP status.")
    status: int
    code: ProblemCode
    detail: str = Field(description="One sentence for the user.")
    retry_after_seconds: int | None = Field(
        None, description="Seconds until a retry; also in Retry-After."
    )
    faults: tuple[Fault, ...] | None = Field(None, description="Only of `invalid_request`.")


class Problem(Exception):
    """Raised anywhere below a route; the answer has the status and the sentence of its code."""

    def __init__(
        self,
        code: ProblemCode,
        *,
        retry_after_s: float | None = None,
        faults: tuple[Fault, ...] | None = None,
    ) -> None:
        super().__init__(code.value)
        self.code = code
        self.retry_after_s = retry_after_s
        self.faults = faults

    def response(self) -> JSONResponse:
        """The answer. Retry-After is rounded up to whole seconds: no retry comes too early."""
        status = STATUS[self.code]
        seconds = None if self.retry_after_s is None else max(1, ceil(self.retry_after_s))
        document = ProblemDocument(
            type=f"urn:lumimd:problem:{self.code}",
            title=status.phrase,
            status=status,
            code=self.code,
            detail=DETAILS[self.code],
            retry_after_seconds=seconds,
            faults=self.faults,
        )
        headers = {} if seconds is None else {"Retry-After": str(seconds)}
        if status is HTTPStatus.UNAUTHORIZED:
            headers["WWW-Authenticate"] = "Bearer"  # RFC 9110, 11.6.1
        return JSONResponse(
            document.model_dump(mode="json", by_alias=True, exclude_none=True),
            status_code=status,
            headers=headers,
            media_type=MEDIA_TYPE,
        )


_ASK_AGAIN: Final = (
    ProblemCode.RATE_LIMITED,
    ProblemCode.RETRY_TOO_SOON,
    ProblemCode.UNAVAILABLE,
    ProblemCode.DOCUMENT_UNREADABLE,
)


def documented(*codes: ProblemCode) -> dict[int | str, dict[str, Any]]:
    """`codes` as a route's `responses`, by status, for the OpenAPI document."""
    by_status: dict[int | str, list[ProblemCode]] = {}
    for code in codes:
        by_status.setdefault(int(STATUS[code]), []).append(code)
    return {status: _documented(of_status) for status, of_status in by_status.items()}


def _documented(codes: list[ProblemCode]) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "description": " ".join(f"`{code}`: {DETAILS[code]}" for code in codes),
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}},
    }
    if codes[0] in _ASK_AGAIN:
        seconds = {"description": "Seconds.", "schema": {"type": "integer", "minimum": 1}}
        answer["headers"] = {"Retry-After": seconds}
    return answer
