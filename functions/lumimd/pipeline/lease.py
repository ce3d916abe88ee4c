"""Leases: a worker takes an exclusive, time-limited lease on a stage before any paid call.

The lease is part of the visit and is taken by compare-and-set. The lease of a crashed worker
expires, and the poller gives the stage to another worker.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from lumimd.domain.codes import ErrorCode
from lumimd.domain.commit import Commit, Stored
from lumimd.domain.errors import Held, TimedOut
from lumimd.domain.events import SubmissionClaimed, SummaryClaimed
from lumimd.domain.state_machine import advance
from lumimd.domain.visit import Visit
from lumimd.pipeline.analysis import visit_summary
from lumimd.pipeline.compare_and_set import until_saved
from lumimd.pipeline.save import announce
from lumimd.pipeline.services import Services
from lumimd.policies.lease import LEASE_GRACE, SUBMISSION, SUMMARY
from lumimd.telemetry import logs


async def take_lease(
    services: Services, stored: Stored, event: type[SubmissionClaimed] | type[SummaryClaimed]
) -> Stored | None:
    """Take the lease on the present stage; None when another worker has it or the stage has ended.

    Raises:
        Transient: the store is not available, or the visit changes faster than it can be read.
    """
    duration = SUBMISSION if event is SubmissionClaimed else SUMMARY
    mine = duration.lease(services.new_id(), services.clock.now())
    if event is SummaryClaimed and services.summarizer.source == "model":
        mine = mine.model_copy(update={"reserved": visit_summary.ASKS})
    # Only for the attempt that was read first: after a lost race another attempt may have begun.
    taken = event(stored.visit.attempt, mine)
    latest: Stored | None = stored

    async def attempt() -> Stored | None:
        nonlocal latest
        read = latest or await services.store.get(stored.visit.visit_id)
        latest = None
        if read is None or read.visit.lease == mine:
            return read  # the visit is gone, or our own save succeeded and its response was lost
        if read.visit.is_leased(services.clock.now()):
            logs.event("claimed_by_another")
            return None
        step = advance(read.visit, taken, services.clock.now())
        if not step.changed or step.entry is None:
            logs.event("claim_was_late")
            return None
        saved = await services.store.save(read, Commit(step.visit, entries=(step.entry,)))
        announce(step, taken)
        return saved

    return await until_saved(attempt)


def still_held(leased: Stored) -> Callable[[Visit], bool]:
    """Return a check whether the lease of `leased` is still on record.

    A worker's plan (wait, give up) is saved only if its lease is still on record. Otherwise another
    worker has the stage, or the plan is saved already and the store's response was lost.
    """
    return lambda visit: visit.lease == leased.visit.lease


@asynccontextmanager
async def within_lease(services: Services, visit: Visit, code: ErrorCode) -> AsyncIterator[None]:
    """Cancel the work inside before the lease of `visit` expires or this instance shuts down.

    Raises:
        TimedOut: the work was cancelled.
        Held: a graceful shutdown cancelled the work; no try is used up.
    """
    assert visit.lease is not None
    left = visit.lease.until - LEASE_GRACE - services.clock.now()
    try:
        async with asyncio.timeout(left.total_seconds()) as limit:
            with services.shutdown.cuts(limit):
                yield
    except TimeoutError as error:
        if services.shutdown.has_begun:
            raise Held(code) from error
        raise TimedOut(code) from error
