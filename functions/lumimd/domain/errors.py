"""Errors by the reaction that they require, and the messages that clients see.

Three classes decide every reply (see docs/decisions/0002): `Transient` is tried again (`Held` uses
up no try), `Permanent` fails the visit with a code, `Rejected` refuses a caller. Any other
exception is a bug.
"""

from enum import StrEnum

from lumimd.domain.codes import ErrorCode, OperatorCode, RefusalCode


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


class OperatorRefused(Exception):
    """Nothing was done; `code` is the reason."""

    def __init__(self, code: OperatorCode) -> None:
        super().__init__(code.sentence)
        self.code = code
