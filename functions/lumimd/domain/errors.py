"""Errors of the pipeline, one class for each reaction that an error requires.

Three classes decide every reaction (see docs/decisions/0002): `Transient` causes a retry (`Held`
does so without using up a try), `Permanent` fails the visit with a code, and `Rejected` refuses a
caller. Any other exception is a bug.
"""

from enum import StrEnum

from lumimd.domain.codes import ErrorCode, OperatorCode, RefusalCode


class Transient(Exception):
    """The operation failed for now, and a later retry may succeed.

    Args:
        code: the code that the client sees if no retry succeeds.
        retry_after_s: the Retry-After of the dependency, in seconds from now.
    """

    def __init__(self, code: ErrorCode, *, retry_after_s: float | None = None) -> None:
        super().__init__(code.value)
        self.code = code
        self.retry_after_s = retry_after_s


class Held(Transient):
    """A dependency is known to be down, or this instance shuts down: waiting uses up no try."""


class DeploymentFault(StrEnum):
    """Account and configuration faults: reasons why a provider refuses the whole deployment."""

    KEY_REFUSED = "key_refused"
    FORBIDDEN = "forbidden"
    UNPAID = "unpaid"
    QUOTA_EXHAUSTED = "quota_exhausted"
    MODEL_NOT_FOUND = "model_not_found"
    ROUTE_NOT_FOUND = "route_not_found"
    REQUEST_REFUSED = "request_refused"


class ProviderRefuses(Held):
    """The provider refuses all requests because of an account or configuration fault.

    The cause is a key, an account, a model or a route, not this recording. Until an operator
    repairs it, visits wait: none fails, and none expires.
    """

    def __init__(
        self, code: ErrorCode, reason: DeploymentFault, *, retry_after_s: float | None = None
    ) -> None:
        super().__init__(code, retry_after_s=retry_after_s)
        self.reason = reason


class RefusedAlone(Held):
    """The provider refuses this request and serves other requests: the visit may be at fault.

    The visit waits for a day, because another cause may pass; then it stops waiting.
    """


class UnreadableDocument(Held):
    """This release cannot read the document: a newer release wrote it, or it is damaged.

    The document must not be overwritten. Reading it again later uses up no try.
    """

    def __init__(self, collection: str, document_id: str) -> None:
        super().__init__(ErrorCode.INTERNAL_ERROR, retry_after_s=60.0)
        self.collection = collection
        self.document_id = document_id


class Permanent(Exception):
    """A retry would give the same result, so the visit fails with `code`."""

    def __init__(self, code: ErrorCode) -> None:
        super().__init__(code.value)
        self.code = code


class NotCharged(Permanent):
    """The provider refused the request before it did any work, so the request is free.

    Any other `Permanent` of a model counts as a paid response.
    """


class BadAnswer(Permanent):
    """The model was paid, and its response cannot be used as a summary of this visit.

    Args:
        code: the defect of the response.
        may_get_better: another response may be usable. A model that refused is not called again.
    """

    def __init__(self, code: ErrorCode, *, may_get_better: bool = True) -> None:
        super().__init__(code)
        self.may_get_better = may_get_better


class Rejected(Exception):
    """The caller is not authenticated; nothing was read or written."""


class Refused(Exception):
    """The state of the visit does not allow the command; nothing was changed.

    Args:
        code: the reason of the refusal.
        retry_after_s: the seconds until the caller may retry, or None if waiting does not help.
    """

    def __init__(self, code: RefusalCode, *, retry_after_s: float | None = None) -> None:
        super().__init__(code.value)
        self.code = code
        self.retry_after_s = retry_after_s


class Unreadable(Transient):
    """The response could not be parsed, which does not show whether the dependency is healthy."""


class Unanswered(Transient):
    """The call was sent and no response came; the dependency may have executed the call."""


class TimedOut(Unanswered):
    """The call was cancelled at its time limit."""


class MeasuringDied(Unanswered):
    """The process that read the duration crashed; the crash counts in `expired_leases`."""


class OperatorRefused(Exception):
    """An operator's command was refused and changed nothing; `code` is the reason."""

    def __init__(self, code: OperatorCode) -> None:
        super().__init__(code.sentence)
        self.code = code
