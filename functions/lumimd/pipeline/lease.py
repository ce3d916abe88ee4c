"""Who may pay: a claim is a conditional save, taken before any call that costs money."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from lumimd.domain.commit import Commit, Conflict, Stored
from lumimd.domain.errors import ErrorCode, Held, TimedOut
from lumimd.domain.events import SubmissionClaimed, SummaryClaimed
from lumimd.domain.state_machine import advance
from lumimd.domain.visit import Visit
from lumimd.pipeline.analysis import visit_summary
from lumimd.pipeline.save import CONFLICTS, announce
from lumimd.pipeline.services import Services
from lumimd.policies.lease import GAP, SUBMISSION, SUMMARY
from lumimd.telemetry import logs


async def lease(
    services: Services, stored: Stored, event: type[SubmissionClaimed] | type[SummaryClaimed]
) -> Stored | None:
    """Take the present stage of the visit; None when it is somebody else's, or over.

    Raises:
        Transient: the store is not available.
    """
    lease = SUBMISSION if event is SubmissionClaimed else SUMMARY
    mine = lease.lease(services.new_id(), services.clock.now())
    if event is SummaryClaimed and services.summarizer.source == "model":
        mine = mine.model_copy(update={"reserved": visit_summary.ASKS})
    # Of the attempt that was read first: after a lost race it may be over, and another one begun.
    leased = event(stored.visit.attempt, mine)
    for _ in range(CONFLICTS):
        if stored.visit.lease == mine:
            return stored  # our own save, whose answer was lost
        if stored.visit.is_leased(services.clock.now()):
            logs.event("claimed_by_another")
            return None
        step = advance(stored.visit, leased, services.clock.now())
        if not step.changed or step.entry is None:
            logs.event("claim_was_late")
            return None
        try:
            saved = await services.store.save(stored, Commit(step.visit, entries=(step.entry,)))
        except Conflict:
            again = await services.store.get(stored.visit.visit_id)
            if again is None:
                return None
            stored = again
            continue
        announce(step, leased)
        return saved
    return None


def still_held(leased: Stored) -> Callable[[Visit], bool]:
    """Tells whether the claim of `claimed` is still on record.

    What its holder decides (not what it found out) counts only then, and only once: somebody else
    may hold the stage by now, or the decision is on record already and its answer was lost.
    """
    return lambda visit: visit.lease == leased.visit.lease


@asynccontextmanager
async def within_lease(services: Services, visit: Visit, code: ErrorCode) -> AsyncIterator[None]:
    """Cancel what runs inside before the claim of `visit` ends, or this instance does.

    Raises:
        TimedOut: it was cancelled.
        Held: it was cancelled, since this instance was told to end.
    """
    assert visit.lease is not None
    left = visit.lease.until - GAP - services.clock.now()
    try:
        async with asyncio.timeout(left.total_seconds()) as limit:
            with services.shutdown.cuts(limit):
                yield
    except TimeoutError as error:
        if services.shutdown.has_begun:
            raise Held(code) from error
        raise TimedOut(code) from error
