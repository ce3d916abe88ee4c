"""The responses to refused or failed requests: `application/problem+json` (RFC 9457).

Each response has a code from a closed list, a sentence, and a Retry-After where waiting helps. No
sentence quotes the request, which may contain words of a visit. `faults` names the fields.
"""

from http import HTTPStatus
from math import ceil
from typing import Any, Final

from fastapi.responses import JSONResponse
from pydantic import Field

from lumimd.domain.codes import ProblemCode
from lumimd.domain.document import Document

MEDIA_TYPE: Final = "application/problem+json"


class Fault(Document):
    """One fault of a request: its field, and the rule that it broke, without the value."""

    where: str = Field(
        description="For example 'body.title', 'query.limit', or the unknown 'body.due_date'."
    )
    rule: str = Field(description="For example 'missing' or 'string_too_long'.")


class ProblemDocument(Document):
    """The body of every response that is not a success (RFC 9457)."""

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
    """An error that a route raises; the response has the status and the sentence of its code."""

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
        """Return the response; Retry-After is rounded up, so that no retry is too early."""
        status = self.code.status
        seconds = None if self.retry_after_s is None else max(1, ceil(self.retry_after_s))
        document = ProblemDocument(
            type=f"urn:lumimd:problem:{self.code}",
            title=status.phrase,
            status=status,
            code=self.code,
            detail=self.code.sentence,
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
    """Return `codes` as a route's `responses`, by status, for the OpenAPI document."""
    by_status: dict[int | str, list[ProblemCode]] = {}
    for code in codes:
        by_status.setdefault(int(code.status), []).append(code)
    return {status: _documented(of_status) for status, of_status in by_status.items()}


def _documented(codes: list[ProblemCode]) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "description": " ".join(f"`{code}`: {code.sentence}" for code in codes),
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}},
    }
    if codes[0] in _ASK_AGAIN:
        seconds = {"description": "Seconds.", "schema": {"type": "integer", "minimum": 1}}
        answer["headers"] = {"Retry-After": seconds}
    return answer
