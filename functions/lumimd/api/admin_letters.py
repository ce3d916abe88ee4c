"""Routes for dead letters: list, read, retry one or several, discard, count."""

from datetime import timedelta
from typing import Annotated, Self

from fastapi import Query
from pydantic import Field, model_validator

from lumimd.api.admin_routing import (
    AsOperator,
    admin_may_answer,
    admin_router,
    mark_of_page,
    place_of,
)
from lumimd.api.listing import Page, Paged
from lumimd.api.routing import OF_A_POST
from lumimd.api.schemas import Instant, Sent, UserId, VisitId
from lumimd.domain.codes import ErrorCode
from lumimd.domain.codes import ProblemCode as P
from lumimd.domain.dead_letter import DeadLetter, LetterState
from lumimd.domain.visit import Stage, VisitLine
from lumimd.operations import bulk_retry, dead_letters
from lumimd.operations.audit import note_reading
from lumimd.operations.failures import Failures, failures
from lumimd.policies.time_budgets import BULK_RETRY_REQUEST
from lumimd.stores.operator_store import LetterFilter, mark_of

router = admin_router()


Reason = Annotated[str, Field(min_length=3, max_length=500)]


class Discarding(Sent):
    """The reason why a dead letter needs no further attention."""

    reason: Reason


class ManyRetries(Sent):
    """The dead letters to retry, filtered as in the list, and the pace."""

    stage: Annotated[Stage | None, Field(strict=False)] = None
    code: Annotated[ErrorCode | None, Field(strict=False)] = None
    user_id: UserId | None = None
    limit: int = Field(100, ge=1, le=1000)
    per_minute: int = Field(600, ge=1, le=6000)

    @model_validator(mode="after")
    def _fits_one_request(self) -> Self:
        pauses = (self.limit - 1) * timedelta(minutes=1) / self.per_minute
        if pauses >= BULK_RETRY_REQUEST:
            needed = f"limit at perMinute takes {pauses.total_seconds():.0f} s"
            raise ValueError(
                f"{needed}; one request has less than {BULK_RETRY_REQUEST.total_seconds():.0f} s"
            )
        return self


@router.get("/dead-letters", responses=admin_may_answer())
async def list_dead_letters(
    operator: AsOperator,
    paged: Paged,
    stage: Stage | None = None,
    code: ErrorCode | None = None,
    user_id: Annotated[UserId | None, Query(alias="userId")] = None,
    since: Annotated[Instant | None, Query(description="Failed at or after this instant.")] = None,
    state: LetterState = LetterState.OPEN,
) -> Page[DeadLetter]:
    """List the visits that failed permanently, newest first."""
    await note_reading(operator, "list_dead_letters", user_id or state.value)
    wanted = LetterFilter(stage, code, user_id, since, state)
    found = await operator.services.operators.letters(wanted, paged.limit + 1, mark_of_page(paged))
    return paged.page(found, lambda letter: place_of(mark_of(letter)), lambda letter: letter)


@router.get("/dead-letters/statistics", responses=admin_may_answer())
async def count_dead_letters(
    operator: AsOperator, since: Annotated[Instant | None, Query()] = None
) -> Failures:
    """Count dead letters by stage, code, class, day and hour; users and visits are hashed."""
    return await failures(operator, since)


@router.post("/dead-letters/bulk-retry", responses=admin_may_answer(*OF_A_POST))
async def retry_many(wanted: ManyRetries, operator: AsOperator) -> bulk_retry.BulkSummary:
    """Retry several dead letters at a steady pace. The response comes after the last retry.

    After 40 seconds the remaining dead letters are `left`; the same request continues with them.
    """
    ends_at = operator.services.clock.now() + BULK_RETRY_REQUEST
    which = LetterFilter(wanted.stage, wanted.code, wanted.user_id)
    chosen = await bulk_retry.choose(operator, which, wanted.limit)
    return await bulk_retry.bulk_retry(
        operator, chosen, per_minute=wanted.per_minute, ends_at=ends_at
    )


@router.get("/dead-letters/{visitId}", responses=admin_may_answer(P.NOT_FOUND))
async def read_dead_letter(visit_id: VisitId, operator: AsOperator) -> DeadLetter:
    """Read one dead letter."""
    await note_reading(operator, "read_dead_letter", visit_id)
    return await dead_letters.one(operator, visit_id)


@router.post(
    "/dead-letters/{visitId}/retry",
    status_code=202,
    responses=admin_may_answer(
        *OF_A_POST, P.NOT_FOUND, P.STILL_PROCESSING, P.RETRY_TOO_SOON, P.NOTHING_TO_RETRY
    ),
)
async def retry_one(visit_id: VisitId, operator: AsOperator) -> VisitLine:
    """Begin another attempt, from the stage that failed. A stored transcript is reused."""
    return VisitLine.of(await dead_letters.retry(operator, visit_id))


@router.post(
    "/dead-letters/{visitId}/discard",
    responses=admin_may_answer(*OF_A_POST, P.NOT_FOUND, P.CHANGED_MEANWHILE),
)
async def discard(visit_id: VisitId, why: Discarding, operator: AsOperator) -> DeadLetter:
    """Discard a dead letter. The visit stays unchanged."""
    return await dead_letters.discard(operator, visit_id, why.reason)
