"""Poller and recovery in one: every visit whose `wake_at` has come gets what it needs.

There is no second mechanism: whatever was lost (a webhook, a task, the holder of a claim), the
visit is due sooner or later, and its status says what to do.
"""

import asyncio
from datetime import datetime
from enum import StrEnum
from typing import Final

from lumimd import collecting, logs, pipeline
from lumimd import events as e
from lumimd.claims import claim
from lumimd.ports import Parts, Stored
from lumimd.recording import record
from lumimd.records import ProcessingStatus, Visit

BATCH: Final = 300
AT_ONCE: Final = 50
"""Visits that one invocation looks at concurrently; far below the provider's request limit."""


class Need(StrEnum):
    """The one thing that moves a due visit on."""

    NOTHING = "nothing"
    SUBMIT = "submit"
    COLLECT = "collect"
    REQUEST_SUMMARY = "request_summary"


def need(visit: Visit, now: datetime) -> Need:
    """What to do for `visit` at `now`.

    A due visit may have been claimed or finished since the query found it; then it needs nothing.
    """
    if visit.is_claimed(now):
        return Need.NOTHING
    match visit.processing_status:
        case ProcessingStatus.PENDING if visit.audio is not None:
            return Need.SUBMIT
        case ProcessingStatus.TRANSCRIBING:
            return Need.COLLECT
        case ProcessingStatus.SUMMARIZING:
            return Need.REQUEST_SUMMARY
        case _:
            return Need.NOTHING


def _is_due(parts: Parts, visit: Visit) -> bool:
    now = parts.clock.now()
    return visit.wake_at is not None and visit.wake_at <= now and not visit.is_claimed(now)


async def wake_due(parts: Parts) -> int:
    """Look after every due visit, the longest overdue first; returns how many there were.

    One visit's trouble does not keep the others from their turn.

    Raises:
        Transient: the store is not available.
        ExceptionGroup: bugs, after every visit had its turn.
    """
    now = parts.clock.now()
    gate = asyncio.Semaphore(AT_ONCE)
    count = 0
    last: Stored | None = None
    troubles: list[Exception] = []

    async def wake_one(stored: Stored) -> None:
        visit = stored.visit
        async with gate:
            with logs.about(visitId=visit.visit_id, attempt=visit.attempt, trace=visit.trace):
                try:
                    await wake(parts, stored)
                except Exception as trouble:  # one visit must not stop the others; raised below
                    logs.failure("wake_failed", trouble)
                    troubles.append(trouble)

    while due := await parts.store.due(now, BATCH, after=last):
        count, last = count + len(due), due[-1]
        await asyncio.gather(*(wake_one(stored) for stored in due))
    logs.event("woke_due_visits", count=count)
    if troubles:
        raise ExceptionGroup("visits that could not be looked after", troubles)
    return count


async def wake(parts: Parts, stored: Stored) -> None:
    """Give one due visit what it needs.

    Raises:
        Transient: the store is not available.
    """
    match need(stored.visit, parts.clock.now()):
        case Need.SUBMIT:
            claimed = await claim(parts, stored, e.SubmissionClaimed)
            if claimed is not None:
                await pipeline.submit(parts, claimed)
        case Need.COLLECT:
            await collecting.poll(parts, stored)
        case Need.REQUEST_SUMMARY:
            # The save decides: of two overlapping runs, one creates the task. The other one must
            # not take the claim from whoever has begun to work on it.
            requested = e.SummaryRequested(stored.visit.attempt)
            await record(parts, stored, requested, still_wanted=lambda v: _is_due(parts, v))
        case Need.NOTHING:
            logs.event("nothing_to_wake")
