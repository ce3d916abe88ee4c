"""Closed lists of all codes that clients and operators can see, with one sentence per code.

Sentences are plain, not technical, and quote neither visits nor requests. Clients decide by the
code, never by the sentence.
"""

from enum import StrEnum
from http import HTTPStatus
from typing import Self


class _Code(StrEnum):
    sentence: str

    def __new__(cls, code: str, sentence: str = "") -> Self:
        member = str.__new__(cls, code)
        member._value_, member.sentence = code, sentence
        return member


class ErrorCode(_Code):
    """Failures of a visit. `retryable` means that another try of the same recording may succeed."""

    retryable: bool

    def __new__(cls, code: str, sentence: str = "", retryable: bool = False) -> Self:
        """A member with its attributes."""
        member = str.__new__(cls, code)
        member._value_, member.sentence, member.retryable = code, sentence, retryable
        return member

    AUDIO_EMPTY = "audio_empty", "The recording is empty. Please upload it again."
    AUDIO_MISSING = "audio_missing", "The recording is no longer there. Please upload it again."
    AUDIO_TOO_LARGE = "audio_too_large", "The recording is larger than 5 GB."
    AUDIO_TOO_LONG = "audio_too_long", "The recording is longer than 10 hours."
    AUDIO_TOO_SHORT = "audio_too_short", "The recording is too short to contain speech."
    AUDIO_TRUNCATED = "audio_truncated", "The recording is incomplete. Please upload it again."
    AUDIO_UNREADABLE = "audio_unreadable", "The file is not a recording that we can read."
    CANCELLED = "cancelled", "You stopped the processing of this recording."
    CONSENT_MISSING = (
        "consent_missing",
        "We need the patient's consent before we process the recording.",
    )
    EXPIRED = "expired", "The visit was not finished in time. Please record or upload it again."
    NO_SPEECH = "no_speech", "We could not hear anyone speak in the recording."
    TRANSCRIPTION_FAILED = "transcription_failed", "The recording could not be transcribed.", True
    TRANSCRIPTION_UNAVAILABLE = (
        "transcription_unavailable",
        "Transcription is not available at the moment. Your recording is safe.",
        True,
    )
    SUMMARY_INVALID = (
        "summary_invalid",
        "The summary could not be made. Your transcript is safe.",
        True,
    )
    SUMMARY_REFUSED = (
        "summary_refused",
        "The summary could not be made. Your transcript is safe.",
        True,
    )
    SUMMARY_TRUNCATED = (
        "summary_truncated",
        "The summary could not be made. Your transcript is safe.",
        True,
    )
    SUMMARY_UNAVAILABLE = (
        "summary_unavailable",
        "The summary is not available at the moment. Your transcript is safe.",
        True,
    )
    RECEIVED_TOO_LATE = (
        "received_too_late",
        "We learned of the recording too late. Please try it again.",
        True,
    )
    INTERNAL_ERROR = (
        "internal_error",
        "Something went wrong on our side. Your recording is safe.",
        True,
    )


class RefusalCode(_Code):
    """Reasons why a command on a visit is refused."""

    VISIT_NOT_FOUND = "visit_not_found", "There is no such visit."
    STILL_PROCESSING = "still_processing", "The visit is being processed."
    RETRY_TOO_SOON = "retry_too_soon", "The visit was tried again a moment ago. Please wait."
    NOTHING_TO_RETRY = "nothing_to_retry", "There is nothing to try again."
    NO_TRANSCRIPT = "no_transcript", "The visit has no transcript yet."
    ALREADY_OVER = "already_over", "The visit is at its end already."
    LEGAL_HOLD = "legal_hold", "The visit must be kept for legal reasons."


class OperatorCode(_Code):
    """Reasons why an operator's command is refused, other than the reasons in `RefusalCode`."""

    NO_DEAD_LETTER = "no_dead_letter", "This visit has no dead letter."
    ALREADY_DISCARDED = "already_discarded", "This dead letter is discarded already."
    CHANGED_MEANWHILE = "changed_meanwhile", "This was changed at the same moment. Read it again."
    NO_SUCH_QUEUE = "no_such_queue", "No queue has this name."
    NO_SUCH_SCHEDULE = "no_such_schedule", "No scheduled call has this name."
    NO_SUCH_BREAKER = "no_such_breaker", "No breaker has this name."
    NO_RECORDING = "no_recording", "The visit has no recording that can be read."


class ProblemCode(_Code):
    """Error responses of the API, each with its HTTP `status`."""

    status: HTTPStatus

    def __new__(
        cls, code: str, status: HTTPStatus = HTTPStatus.INTERNAL_SERVER_ERROR, sentence: str = ""
    ) -> Self:
        """A member with its attributes."""
        member = str.__new__(cls, code)
        member._value_, member.sentence, member.status = code, sentence, status
        return member

    @classmethod
    def of(cls, refusal: RefusalCode) -> Self:
        """Return the error response to a refused command.

        A deleted visit gets the same response as a visit of another user.
        """
        return cls("not_found" if refusal is RefusalCode.VISIT_NOT_FOUND else refusal.value)

    UNAUTHENTICATED = "unauthenticated", HTTPStatus.UNAUTHORIZED, "Please sign in."
    TOKEN_EXPIRED = (
        "token_expired",
        HTTPStatus.UNAUTHORIZED,
        "Your sign-in has expired. Please refresh it.",
    )
    TOKEN_REVOKED = (
        "token_revoked",
        HTTPStatus.UNAUTHORIZED,
        "Your sign-in was ended. Please sign in again.",
    )
    ACCOUNT_DISABLED = "account_disabled", HTTPStatus.FORBIDDEN, "This account is disabled."
    UNUSABLE_USER_ID = (
        "unusable_user_id",
        HTTPStatus.FORBIDDEN,
        "The user id of this account holds a character that we cannot keep. Please tell support.",
    )
    FORBIDDEN = "forbidden", HTTPStatus.FORBIDDEN, "Only operators may do this."
    URGENT_NOT_INCLUDED = (
        "urgent_not_included",
        HTTPStatus.FORBIDDEN,
        "Urgent processing is not part of your plan.",
    )
    NOT_FOUND = (
        "not_found",
        HTTPStatus.NOT_FOUND,
        "This does not exist, or belongs to another user.",
    )
    METHOD_NOT_ALLOWED = (
        "method_not_allowed",
        HTTPStatus.METHOD_NOT_ALLOWED,
        "This path does not support this method.",
    )
    INVALID_REQUEST = (
        "invalid_request",
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The request is not valid: a field is missing, is unknown, or has a wrong value.",
    )
    BODY_TOO_LARGE = (
        "body_too_large",
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "The request is too large.",
    )
    IDEMPOTENCY_KEY_REUSED = (
        "idempotency_key_reused",
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "This key was used for another request.",
    )
    REQUEST_IN_PROGRESS = (
        "request_in_progress",
        HTTPStatus.CONFLICT,
        "The same request is still being processed.",
    )
    CHANGED_MEANWHILE = (
        "changed_meanwhile",
        HTTPStatus.CONFLICT,
        "This was changed at the same moment. Please read it again.",
    )
    ACTION_REPLACED = (
        "action_replaced",
        HTTPStatus.GONE,
        "The summary was made again, and this action item is not in it any more.",
    )
    RATE_LIMITED = "rate_limited", HTTPStatus.TOO_MANY_REQUESTS, "Too many requests. Please wait."
    UNAVAILABLE = (
        "unavailable",
        HTTPStatus.SERVICE_UNAVAILABLE,
        "This is not available at the moment. Please try again.",
    )
    DOCUMENT_UNREADABLE = (
        "document_unreadable",
        HTTPStatus.SERVICE_UNAVAILABLE,
        "This cannot be read at the moment. It is safe.",
    )
    INTERNAL_ERROR = (
        "internal_error",
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "Something went wrong on our side.",
    )
    STILL_PROCESSING = (
        "still_processing",
        HTTPStatus.CONFLICT,
        RefusalCode.STILL_PROCESSING.sentence,
    )
    RETRY_TOO_SOON = (
        "retry_too_soon",
        HTTPStatus.TOO_MANY_REQUESTS,
        RefusalCode.RETRY_TOO_SOON.sentence,
    )
    NOTHING_TO_RETRY = (
        "nothing_to_retry",
        HTTPStatus.CONFLICT,
        RefusalCode.NOTHING_TO_RETRY.sentence,
    )
    NO_TRANSCRIPT = "no_transcript", HTTPStatus.CONFLICT, RefusalCode.NO_TRANSCRIPT.sentence
    ALREADY_OVER = "already_over", HTTPStatus.CONFLICT, RefusalCode.ALREADY_OVER.sentence
    LEGAL_HOLD = "legal_hold", HTTPStatus.CONFLICT, RefusalCode.LEGAL_HOLD.sentence
