"""Read a summary from the body of a chat completion.

The SDK's own parser refuses complete answers of other servers (`finish_reason` null or `eos`), and
its errors do not say whether the answer was truncated.
"""

import json
from typing import Any

from lumimd.adapters.openai.model_answers import read_summary
from lumimd.domain.clinical import VisitSummary
from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import BadAnswer, Unanswered


def summary_in(body: bytes) -> VisitSummary:
    """Return the summary in the body of a completion.

    Raises:
        Unanswered: the body is a gateway's page, or an error with status 200.
        BadAnswer: the model refused, its answer was truncated, or it has no summary.
    """
    choice = _first_choice(body)
    message = choice.get("message")
    if not isinstance(message, dict):
        raise BadAnswer(ErrorCode.SUMMARY_INVALID)
    finish = choice.get("finish_reason")
    if message.get("refusal") or finish == "content_filter":
        raise BadAnswer(ErrorCode.SUMMARY_REFUSED, may_get_better=False)
    try:
        # A complete answer counts with any `finish_reason`.
        return read_summary(_text(message.get("content")))
    except BadAnswer as bad:
        if finish == "length":
            raise BadAnswer(ErrorCode.SUMMARY_TRUNCATED) from bad
        raise


def _first_choice(body: bytes) -> dict[str, Any]:
    try:
        completion = json.loads(body)
    except (ValueError, RecursionError):
        completion = None
    choices = completion.get("choices") if isinstance(completion, dict) else None
    if not isinstance(choices, list):
        raise Unanswered(ErrorCode.SUMMARY_UNAVAILABLE)
    if not choices or not isinstance(choices[0], dict):
        raise BadAnswer(ErrorCode.SUMMARY_INVALID)
    return choices[0]


def _text(content: object) -> str:
    """Return the text of the message; some servers send it in parts."""
    if isinstance(content, list):
        parts = [each.get("text") for each in content if isinstance(each, dict)]
        return "".join(each for each in parts if isinstance(each, str))
    return content if isinstance(content, str) else ""
