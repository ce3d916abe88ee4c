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
from lumimd.pipeline.services import Parts
from lumimd.policies.lease import GAP, SUBMISSION, SUMMARY
from lumimd.telemetry import logs


async def claim(
    parts: Parts, stored: Stored, event: type[SubmissionClaimed] | type[SummaryClaimed]
) -> Stored | None:
    """Take the present stage of the visit; None when it is somebody else's, or over.

    Raises:
        Transient: the store is not available.
    """
    lease = SUBMISSION if event is SubmissionClaimed else SUMMARY
    mine = lease.claim(parts.new_id(), parts.clock.now())
    if event is SummaryClaimed and parts.summarizer.source == "model":
        mine = mine.model_copy(update={"reserved": visit_summary.ASKS})
    # Of the attempt that was read first: after a lost race it may be over, and another one begun.
    claimed = event(stored.visit.attempt, mine)
    for _ in range(CONFLICTS):
        if stored.visit.claim == mine:
            return stored  # our own save, whose answer was lost
        if stored.visit.is_claimed(parts.clock.now()):
            logs.event("claimed_by_another")
            return None
        step = advance(stored.visit, claimed, parts.clock.now())
        if not step.changed or step.entry is None:
            logs.event("claim_was_late")
            return None
        try:
            saved = await parts.store.save(stored, Commit(step.visit, entries=(step.entry,)))
        except Conflict:
            again = await parts.store.get(stored.visit.visit_id)
            if again is None:
                return None
            stored = again
            continue
        announce(step, claimed)
        return saved
    return None


def still_held(claimed: Stored) -> Callable[[Visit], bool]:
    """Tells whether the claim of `claimed` is still on record.

    What its holder decides (not what it found out) counts only then, and only once: somebody else
    may hold the stage by now, or the decision is on record already and its answer was lost.
    """
    return lambda visit: visit.claim == claimed.visit.claim


@asynccontextmanager
async def while_claimed(parts: Parts, visit: Visit, code: ErrorCode) -> AsyncIterator[None]:
    """Cancel what runs inside before the claim of `visit` ends, or this instance does.

    Raises:
        TimedOut: it was cancelled.
        Held: it was cancelled, since this instance was told to end.
    """
    assert visit.claim is not None
    left = visit.claim.until - GAP - parts.clock.now()
    try:
        async with asyncio.timeout(left.total_seconds()) as limit:
            with parts.shutdown.cuts(limit):
                yield
    except TimeoutError as error:
        if parts.shutdown.has_begun:
            raise Held(code) from error
        raise TimedOut(code) from error
