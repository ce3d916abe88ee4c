"""The dead letter of a failed visit, for operators: deadLetters/{visitId}."""

from datetime import datetime
from enum import StrEnum

from lumimd.domain.codes import ErrorCode
from lumimd.domain.document import Document
from lumimd.domain.visit import ProcessingStatus, Stage, Visit


class LetterState(StrEnum):
    """The state of a dead letter: open, or discarded by an operator."""

    OPEN = "open"
    DISCARDED = "discarded"


class DeadLetter(Document):
    """A failed visit, with the facts by which an operator decides whether to retry it.

    An operator discards a letter (`discarded`) if a retry is not worthwhile; the visit does not
    change. The next failure of the same visit opens a new letter.
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
        """Return this letter as discarded by an operator for a `reason`."""
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
        """Return the dead letter of a visit that has just failed."""
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
    """Return the dead letter if the visit has just failed, else None.

    A visit that waits for its owner (for consent, or for a recording) gets no dead letter.
    """
    if not _failed(after) or (before is not None and _failed(before)):
        return None
    error = after.processing_error
    if after.audio is None or (error and error.code is ErrorCode.CONSENT_MISSING):
        return None
    return DeadLetter.of(after, now)


def works_again(before: Visit, after: Visit) -> bool:
    """Whether the visit was failed before and is not failed now."""
    return _failed(before) and not _failed(after)


def _failed(visit: Visit) -> bool:
    return visit.processing_status is ProcessingStatus.FAILED
