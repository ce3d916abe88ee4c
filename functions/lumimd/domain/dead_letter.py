"""The dead letter of a failed visit, for operators: deadLetters/{visitId}."""

from datetime import datetime
from enum import StrEnum

from lumimd.domain.codes import ErrorCode
from lumimd.domain.document import Document
from lumimd.domain.visit import ProcessingStatus, Stage, Visit


class LetterState(StrEnum):
    """Whether an operator still has to look at a dead letter."""

    OPEN = "open"
    DISCARDED = "discarded"


class DeadLetter(Document):
    """A failed visit, with the facts by which an operator decides on another try.

    A `discarded` letter is not worth another try; the visit itself does not change. Another failure
    of the same visit opens a new letter.
    """

    visit_id: str
    user_id: str
    stage: Stage
    code: ErrorCode
    attempt: int
    tries: int
    first_error: ErrorCode
    first_seen_at: datetime
    last_error: ErrorCode
    last_seen_at: datetime
    state: LetterState = LetterState.OPEN
    discard_reason: str | None = None
    discarded_at: datetime | None = None
    discarded_by: str | None = None

    def discarded(self, by: str, reason: str, now: datetime) -> "DeadLetter":
        """This letter, discarded by an operator for a `reason`."""
        return self.model_copy(
            update={
                "state": LetterState.DISCARDED,
                "discard_reason": reason,
                "discarded_at": now,
                "discarded_by": by,
            }
        )

    @classmethod
    def of(cls, visit: Visit, now: datetime) -> "DeadLetter":
        """The dead letter of a visit that has just failed."""
        error = visit.processing_error
        assert error is not None
        trouble = visit.trouble
        return cls(
            visit_id=visit.visit_id,
            user_id=visit.user_id,
            stage=error.stage,
            code=error.code,
            attempt=visit.attempt,
            tries=visit.stage_tries
            + (visit.expired_leases if error.stage is Stage.SUBMISSION else 0),
            first_error=trouble.first_code if trouble else error.code,
            first_seen_at=trouble.first_at if trouble else now,
            last_error=trouble.last_code if trouble else error.code,
            last_seen_at=now,
        )


def dead_letter_of(before: Visit | None, after: Visit, now: datetime) -> DeadLetter | None:
    """The dead letter of a visit that has just failed; None for any other.

    A visit that waits for its owner (for consent, or for a recording) needs no operator.
    """
    if not _failed(after) or (before is not None and _failed(before)):
        return None
    error = after.processing_error
    if after.audio is None or (error and error.code is ErrorCode.CONSENT_MISSING):
        return None
    return DeadLetter.of(after, now)


def works_again(before: Visit, after: Visit) -> bool:
    """Whether a visit that had failed has not failed any more."""
    return _failed(before) and not _failed(after)


def _failed(visit: Visit) -> bool:
    return visit.processing_status is ProcessingStatus.FAILED
