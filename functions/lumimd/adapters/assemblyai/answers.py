"""Classify AssemblyAI's error responses by one table, whose first matching row counts.

An account or configuration fault (key, account, model, address) concerns every recording. A row
names the status, the kind of call and, if the status alone is ambiguous, a part of the provider's
error sentence. The sentence is never logged or raised, because it may quote a URL or the key.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import DeploymentFault, Permanent, ProviderRefuses, Transient
from lumimd.policies import retry
from lumimd.ports.transcriber import JobGone


class Call(StrEnum):
    """The kind of request that the provider refused."""

    ORDER = "order"
    JOB = "job"
    LIST = "list"
    UPLOAD = "upload"


class Meaning(StrEnum):
    """The meaning of an error response that concerns one call, job or recording."""

    COMES_BACK = "comes_back"
    JOB_GONE = "job_gone"
    RECORDING_REFUSED = "recording_refused"


@dataclass(frozen=True)
class Row:
    """One kind of error response. A row without `calls`, `statuses` or `parts` matches all."""

    means: DeploymentFault | Meaning
    statuses: frozenset[int] = frozenset()
    calls: frozenset[Call] = frozenset()
    parts: tuple[str, ...] = ()

    def fits(self, status: int, call: Call, sentence: str) -> bool:
        """Return whether the row matches this error response."""
        return (
            (not self.statuses or status in self.statuses)
            and (not self.calls or call in self.calls)
            and (not self.parts or any(part in sentence for part in self.parts))
        )


def _of(*statuses: int) -> frozenset[int]:
    return frozenset(statuses)


_ROUTES: Final = _of(404, 405, 410, *range(300, 400))

TABLE: Final[tuple[Row, ...]] = (
    Row(Meaning.COMES_BACK, _of(408, 409, 423, 425, 429, *range(500, 600))),
    Row(DeploymentFault.KEY_REFUSED, _of(401)),
    Row(DeploymentFault.UNPAID, _of(402)),
    Row(DeploymentFault.FORBIDDEN, _of(403, 407, 451)),
    # This provider sends "Transcript lookup error, transcript id not found" with a 400.
    Row(Meaning.JOB_GONE, _of(400, 404), frozenset({Call.JOB}), ("not found",)),
    Row(
        DeploymentFault.UNPAID, _of(400), parts=("balance", "payment", "billing", "credit", "funds")
    ),
    Row(
        DeploymentFault.KEY_REFUSED,
        _of(400),
        parts=("api key", "api token", "authentication", "authorization", "unauthorized"),
    ),
    Row(DeploymentFault.FORBIDDEN, _of(400), parts=("account", "upgrade", "your plan")),
    Row(DeploymentFault.ROUTE_NOT_FOUND, _ROUTES),
    Row(
        DeploymentFault.MODEL_NOT_FOUND,
        _of(400),
        frozenset({Call.ORDER}),
        ("speech_model", "speech model"),
    ),
    Row(
        Meaning.RECORDING_REFUSED,
        _of(400),
        frozenset({Call.ORDER}),
        ("audio_url", "audio url", "audio file", "media file"),
    ),
    Row(DeploymentFault.REQUEST_REFUSED),
)
"""The last row matches everything: an unknown error response may concern one visit or all visits.
"""


def meaning(status: int, call: Call, sentence: str) -> DeploymentFault | Meaning:
    """Return the meaning of an error response with that HTTP status and error sentence."""
    plain = without_quotes(sentence).lower()
    return next(row.means for row in TABLE if row.fits(status, call, plain))


def refusal(status: int, call: Call, body: bytes, headers: Mapping[str, str]) -> Exception:
    """Return the error to raise for a response that is not a success."""
    means = meaning(status, call, sentence_of(body))
    match means:
        case Meaning.JOB_GONE:
            return JobGone()
        case Meaning.RECORDING_REFUSED:
            return Permanent(ErrorCode.TRANSCRIPTION_FAILED)
        case Meaning.COMES_BACK:
            asked_s = retry.seconds_asked(headers)
            return Transient(ErrorCode.TRANSCRIPTION_UNAVAILABLE, retry_after_s=asked_s)
        case fault:
            asked_s = retry.seconds_asked(headers)
            code = ErrorCode.TRANSCRIPTION_UNAVAILABLE
            return ProviderRefuses(code, fault, retry_after_s=asked_s)


def sentence_of(body: bytes) -> str:
    """Return the provider's error sentence; empty if the response has another form."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    sentence = said.get("error") if isinstance(said, dict) else None
    return sentence if isinstance(sentence, str) else ""


@dataclass(frozen=True)
class FailedJob:
    """A part of the error sentence of a failed job, and what it means for the recording."""

    part: str
    code: ErrorCode
    is_transient: bool = False


FAILED_JOBS: Final[tuple[FailedJob, ...]] = (
    FailedJob("too short", ErrorCode.AUDIO_TOO_SHORT),
    FailedJob("too long", ErrorCode.AUDIO_TOO_LONG),
    FailedJob("size exceeds", ErrorCode.AUDIO_TOO_LARGE),
    FailedJob("no spoken audio", ErrorCode.NO_SPEECH),
    FailedJob("speech threshold", ErrorCode.NO_SPEECH),
    FailedJob("not appear to contain audio", ErrorCode.AUDIO_UNREADABLE),
    FailedJob("does not contain audio", ErrorCode.AUDIO_UNREADABLE),
    FailedJob("unsupported language", ErrorCode.TRANSCRIPTION_FAILED),
    FailedJob("unsupported", ErrorCode.AUDIO_UNREADABLE),
)
"""Sentences of failed jobs that the provider's documentation lists.

Any other sentence counts as the provider's own fault, so the pipeline orders a few new jobs; failed
jobs are free.
"""

PROVIDERS_TROUBLE: Final = FailedJob("", ErrorCode.TRANSCRIPTION_FAILED, is_transient=True)


def failed_job(sentence: str) -> FailedJob:
    """Return the row for the error sentence of a failed job, or `PROVIDERS_TROUBLE`."""
    plain = without_quotes(sentence).lower()
    return next((row for row in FAILED_JOBS if row.part in plain), PROVIDERS_TROUBLE)


_QUOTED: Final = re.compile(
    r"""
    \bresponse\ headers?:.*                   # another server's answer, to the end
    | \{[^{}]*\}                              # JSON
    | "[^"]*" | `[^`]*` | (?<!\w)'[^']*'(?!\w)
    | \S*/\S*                                 # a URL, a path
    | \S+\.\w{2,5}(?=[\s,;:)]|$)              # a file's name, a host
    """,
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)


def without_quotes(sentence: str) -> str:
    """Return the sentence without the URLs, file names and headers that it quotes."""
    return _QUOTED.sub(" ", sentence)
