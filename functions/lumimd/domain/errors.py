"""Errors by the reaction that they require, and the messages that clients see.

Three classes decide every reply (see docs/decisions/0002): `Transient` is tried again (`Held` uses
up no try), `Permanent` fails the visit with a code, `Rejected` refuses a caller. Any other
exception is a bug.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class ErrorCode(StrEnum):
    """The closed list of failures that a client can see."""

    AUDIO_EMPTY = "audio_empty"
    AUDIO_MISSING = "audio_missing"
    AUDIO_TOO_LARGE = "audio_too_large"
    AUDIO_TOO_LONG = "audio_too_long"
    AUDIO_TOO_SHORT = "audio_too_short"
    AUDIO_TRUNCATED = "audio_truncated"
    AUDIO_UNREADABLE = "audio_unreadable"
    CANCELLED = "cancelled"
    CONSENT_MISSING = "consent_missing"
    EXPIRED = "expired"
    NO_SPEECH = "no_speech"
    TRANSCRIPTION_FAILED = "transcription_failed"
    TRANSCRIPTION_UNAVAILABLE = "transcription_unavailable"
    SUMMARY_INVALID = "summary_invalid"
    SUMMARY_REFUSED = "summary_refused"
    SUMMARY_TRUNCATED = "summary_truncated"
    SUMMARY_UNAVAILABLE = "summary_unavailable"
    RECEIVED_TOO_LATE = "received_too_late"
    INTERNAL_ERROR = "internal_error"


MESSAGES: Final[Mapping[ErrorCode, str]] = {
    ErrorCode.AUDIO_EMPTY: "The recording is empty. Please upload it again.",
    ErrorCode.AUDIO_MISSING: "The recording is no longer there. Please upload it again.",
    ErrorCode.AUDIO_TOO_LARGE: "The recording is larger than 5 GB.",
    ErrorCode.AUDIO_TOO_LONG: "The recording is longer than 10 hours.",
    ErrorCode.AUDIO_TOO_SHORT: "The recording is too short to contain speech.",
    ErrorCode.AUDIO_TRUNCATED: "The recording is incomplete. Please upload it again.",
    ErrorCode.AUDIO_UNREADABLE: "The file is not a recording that we can read.",
    ErrorCode.CANCELLED: "You stopped the processing of this recording.",
    ErrorCode.CONSENT_MISSING: "We need the patient's consent before we process the recording.",
    ErrorCode.EXPIRED: "The visit was not finished in time. Please record or upload it again.",
    ErrorCode.NO_SPEECH: "We could not hear anyone speak in the recording.",
    ErrorCode.TRANSCRIPTION_FAILED: "The recording could not be transcribed.",
    ErrorCode.TRANSCRIPTION_UNAVAILABLE: (
        "Transcription is not available at the moment. Your recording is safe."
    ),
    ErrorCode.SUMMARY_INVALID: "The summary could not be made. Your transcript is safe.",
    ErrorCode.SUMMARY_REFUSED: "The summary could not be made. Your transcript is safe.",
    ErrorCode.SUMMARY_TRUNCATED: "The summary could not be made. Your transcript is safe.",
    ErrorCode.SUMMARY_UNAVAILABLE: (
        "The summary is not available at the moment. Your transcript is safe."
    ),
    ErrorCode.RECEIVED_TOO_LATE: "We learned of the recording too late. Please try it again.",
    ErrorCode.INTERNAL_ERROR: "Something went wrong on our side. Your recording is safe.",
}
"""One plain sentence a code; nothing technical, nothing from a visit."""

RETRYABLE: Final[frozenset[ErrorCode]] = frozenset(
    {
        ErrorCode.TRANSCRIPTION_FAILED,
        ErrorCode.TRANSCRIPTION_UNAVAILABLE,
        ErrorCode.SUMMARY_INVALID,
        ErrorCode.SUMMARY_REFUSED,
        ErrorCode.SUMMARY_TRUNCATED,
        ErrorCode.SUMMARY_UNAVAILABLE,
        ErrorCode.RECEIVED_TOO_LATE,
        ErrorCode.INTERNAL_ERROR,
    }
)
"""The failures that another try of the same recording may overcome."""


class Transient(Exception):
    """Try again later; nothing is known to have been done.

    Args:
        code: the code that the client sees if no retry succeeds.
        retry_after_s: Retry-After of the other side, in seconds from now.
    """

    def __init__(self, code: ErrorCode, *, retry_after_s: float | None = None) -> None:
        super().__init__(code.value)
        self.code = code
        self.retry_after_s = retry_after_s


class Held(Transient):
    """The other side is known to be down, or this instance shuts down. Waiting uses up no try."""


class DeploymentFault(StrEnum):
    """Reasons, for operators, why a provider serves no visit of this deployment."""

    KEY_REFUSED = "key_refused"
    FORBIDDEN = "forbidden"
    UNPAID = "unpaid"
    QUOTA_EXHAUSTED = "quota_exhausted"
    MODEL_NOT_FOUND = "model_not_found"
    ROUTE_NOT_FOUND = "route_not_found"
    REQUEST_REFUSED = "request_refused"


class ProviderRefuses(Held):
    """The provider refuses the deployment (key, account, model, route), not this recording.

    An operator has to repair it. Until then visits wait: none fails, and none expires.
    """

    def __init__(
        self, code: ErrorCode, reason: DeploymentFault, *, retry_after_s: float | None = None
    ) -> None:
        super().__init__(code, retry_after_s=retry_after_s)
        self.reason = reason


class RefusedAlone(Held):
    """The provider refuses this request and serves others: the visit may be at fault.

    The visit waits for a day, in case another cause passes; then it ends.
    """


class UnreadableDocument(Held):
    """This release cannot read the document: a newer one wrote it, or it is damaged.

    It must not be overwritten. A later read uses up no try.
    """

    def __init__(self, collection: str, document_id: str) -> None:
        super().__init__(ErrorCode.INTERNAL_ERROR, retry_after_s=60.0)
        self.collection = collection
        self.document_id = document_id


class Permanent(Exception):
    """Another try gives the same result; the visit fails with `code`."""

    def __init__(self, code: ErrorCode) -> None:
        super().__init__(code.value)
        self.code = code


class NotCharged(Permanent):
    """The provider refused the request before it did any work, so the request is free.

    Any other `Permanent` of a model counts as a paid answer.
    """


class BadAnswer(Permanent):
    """The model was paid, and its answer is no summary of this visit.

    Args:
        code: the defect of the answer.
        may_get_better: another sample may be good. A model that refused is not called again.
    """

    def __init__(self, code: ErrorCode, *, may_get_better: bool = True) -> None:
        super().__init__(code)
        self.may_get_better = may_get_better


class Rejected(Exception):
    """The caller is not authenticated; nothing was read or written."""


class RefusalCode(StrEnum):
    """The closed list of reasons why a command on a visit is refused."""

    VISIT_NOT_FOUND = "visit_not_found"
    STILL_PROCESSING = "still_processing"
    RETRY_TOO_SOON = "retry_too_soon"
    NOTHING_TO_RETRY = "nothing_to_retry"
    NO_TRANSCRIPT = "no_transcript"
    ALREADY_OVER = "already_over"
    LEGAL_HOLD = "legal_hold"


REFUSALS: Final[Mapping[RefusalCode, str]] = {
    RefusalCode.VISIT_NOT_FOUND: "There is no such visit.",
    RefusalCode.STILL_PROCESSING: "The visit is being processed.",
    RefusalCode.RETRY_TOO_SOON: "The visit was tried again a moment ago. Please wait.",
    RefusalCode.NOTHING_TO_RETRY: "There is nothing to try again.",
    RefusalCode.NO_TRANSCRIPT: "The visit has no transcript yet.",
    RefusalCode.ALREADY_OVER: "The visit is at its end already.",
    RefusalCode.LEGAL_HOLD: "The visit must be kept for legal reasons.",
}
"""One plain sentence a code."""


class Refused(Exception):
    """The state of the visit does not allow the command; nothing was changed.

    Args:
        code: the reason.
        retry_after_s: seconds until the caller may try again, where waiting helps.
    """

    def __init__(self, code: RefusalCode, *, retry_after_s: float | None = None) -> None:
        super().__init__(code.value)
        self.code = code
        self.retry_after_s = retry_after_s


class Unreadable(Transient):
    """The answer could not be parsed; that says little about the health of the dependency."""


class Unanswered(Transient):
    """The call was sent and no answer came; the other side may have executed it."""


class TimedOut(Unanswered):
    """The call was cancelled at its time limit."""


class MeasuringDied(Unanswered):
    """A measuring process crashed; the visit counts it like an expired lease (`expired_leases`)."""
