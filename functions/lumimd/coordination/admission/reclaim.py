"""Releases leaked permits: their holder crashed before the release, or stopped meanwhile.

This runs when a visit waits and no permit is free. A permit is released if its visit shows that the
job has ended. If the visit no longer waits for the job (a new recording arrived, the owner
cancelled the visit, or the visit expired), the provider is asked whether any job of the visit still
runs.
"""

import asyncio
from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol

from lumimd.coordination.admission.semaphore import Semaphore
from lumimd.domain.errors import Transient
from lumimd.domain.visit import ProcessingStatus, Status, Visit
from lumimd.policies.admission import ATTEMPT_SETTLED, RECLAIM_AFTER
from lumimd.policies.permits import Permit
from lumimd.ports.clock import Clock
from lumimd.ports.transcriber import JobGone, Running, Transcriber
from lumimd.stores.visit_store import VisitStore
from lumimd.telemetry import logs

LOOKS_AT_ONCE: Final = 20


class Jobs(Protocol):
    """The sources that tell whether a job still runs."""

    @property
    def clock(self) -> Clock: ...

    @property
    def store(self) -> VisitStore: ...

    @property
    def transcriber(self) -> Transcriber: ...


class Fate(StrEnum):
    """The state of the job behind a permit."""

    MAY_RUN = "may_run"
    ENDED = "ended"
    ABANDONED = "abandoned"


def fate(visit: Visit | None, attempt: int, now: datetime) -> Fate:
    """Return the state of the job of that attempt, as far as the visit shows the state.

    The job of a missing visit may run: the deletion of the visit releases its permits.
    """
    if visit is None:
        return Fate.MAY_RUN
    if visit.attempt != attempt or visit.status in (Status.CANCELLED, Status.EXPIRED):
        return Fate.ABANDONED if _is_settled(visit, now) else Fate.MAY_RUN
    match visit.processing_status:
        case ProcessingStatus.PENDING | ProcessingStatus.TRANSCRIBING:
            return Fate.MAY_RUN
        case _:
            return Fate.ENDED


def _is_settled(visit: Visit, now: datetime) -> bool:
    times = visit.timings
    if times is None:
        return False
    return now - (times.processing_completed_at or times.processing_started_at) > ATTEMPT_SETTLED


async def reclaim(jobs: Jobs, semaphore: Semaphore) -> int:
    """Release the permits of ended jobs, and return the number of released permits.

    Raises:
        Transient: the permits could not be read.
    """
    now, gate = jobs.clock.now(), asyncio.Semaphore(LOOKS_AT_ONCE)

    async def freed(permit: Permit) -> bool:
        visit_id, _, attempt = permit.holder.rpartition("/")
        async with gate:
            try:
                stored = await jobs.store.get(visit_id)
                visit = stored.visit if stored else None
                found = fate(visit, int(attempt), now)
                if found is Fate.ABANDONED and not await _runs(jobs, visit):
                    found = Fate.ENDED
                if found is Fate.ENDED:
                    await semaphore.release(permit.holder)
            except Transient as error:
                logs.failure("place_not_looked_at", error, visitId=visit_id)
                return False
        return found is Fate.ENDED

    old = [permit for permit in await semaphore.holders() if now - permit.since > RECLAIM_AFTER]
    count = sum(await asyncio.gather(*(freed(permit) for permit in old)))
    if count:
        logs.event("places_found", "warning", count=count)
    return count


async def _runs(jobs: Jobs, visit: Visit | None) -> bool:
    """Whether the provider still works on any recording of the visit."""
    if visit is None or visit.audio is None:
        return False
    folder = visit.audio.storage_path.rpartition("/")[0] + "/"
    for transcript_id in await jobs.transcriber.jobs_below(visit.audio.bucket, folder):
        try:
            job = await jobs.transcriber.fetch(transcript_id)
        except JobGone:
            continue
        if isinstance(job.state, Running):
            return True
    return False
