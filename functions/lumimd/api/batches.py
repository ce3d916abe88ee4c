"""Batches: create many visits at once, and read their joint status."""

import asyncio
from hashlib import sha256
from typing import Final

from fastapi import Request

from lumimd.api.idempotency import new_id
from lumimd.api.identity import CurrentUser
from lumimd.api.limits import Expensive
from lumimd.api.problems import Problem
from lumimd.api.routing import OF_A_POST, may_answer, signed_in_router
from lumimd.api.schemas import Announced, BatchId, NewBatch
from lumimd.api.services import RequestServices
from lumimd.api.views import BatchStatus, NewBatchView, NewVisitView
from lumimd.api.visits import created
from lumimd.domain.codes import ProblemCode as P

router = signed_in_router("batches")

_AT_ONCE: Final = 10
"""Visits that one request creates at once; the instance also serves other requests."""


@router.post("/batches", status_code=201, responses=may_answer(*OF_A_POST))
async def create_batch(
    new: NewBatch, request: Request, user: CurrentUser, services: RequestServices, _limit: Expensive
) -> NewBatchView:
    """Create visits that belong together, and return where to upload each recording."""
    batch_id = new_id(request)
    slots = asyncio.Semaphore(_AT_ONCE)

    async def one(number: int, announced: Announced) -> NewVisitView:
        async with slots:
            return await created(
                services,
                request,
                user.user_id,
                announced,
                visit_id=_visit_id(batch_id, number),
                consent=new.consent,
                batch_id=batch_id,
            )

    visits = await asyncio.gather(*(one(*numbered) for numbered in enumerate(new.visits)))
    return NewBatchView(batch_id=batch_id, visits=tuple(visits))


@router.get("/batches/{batchId}/status", responses=may_answer(P.NOT_FOUND))
async def read_batch_status(
    batch_id: BatchId, user: CurrentUser, services: RequestServices
) -> BatchStatus:
    """Read the counts of a batch by status, and the progress of the whole batch."""
    visits = await services.owner_queries.batch(user.user_id, batch_id)
    if not visits:
        raise Problem(P.NOT_FOUND)
    return BatchStatus.of(batch_id, visits)


def _visit_id(batch_id: str, number: int) -> str:
    return sha256(f"{batch_id}/{number}".encode()).hexdigest()[:32]
