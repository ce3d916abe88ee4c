"""Statistics of visits: success rate, time of each stage, retry rate, most frequent codes.

They count the visits that ended in the window. The stage times come from a sample, the histories of
the newest visits, since a history costs one read per line.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from statistics import median, quantiles
from typing import Final

from lumimd.domain.document import Document
from lumimd.domain.visit import ProcessingStatus, Stage, VisitLine
from lumimd.operations.operator import Operator
from lumimd.operations.timeline import RunOutcome, stage_runs
from lumimd.policies.alerting import STATISTICS_OF
from lumimd.stores.operator_store import VisitFilter, mark_of

PAGE: Final = 300
MOST: Final = 20_000
"""The most visits that are read; the result says if there are more."""

SAMPLE: Final = 200
AT_ONCE: Final = 20


class StageTime(Document):
    """The time that a stage takes; `slow_seconds` is the 95th percentile."""

    stage: Stage
    runs: int
    median_seconds: float
    slow_seconds: float


class CodeCount(Document):
    """The number of visits that ended with a code."""

    code: str
    count: int


class Statistics(Document):
    """The statistics of a window. A rate with a zero denominator is None.

    `is_complete` is False if there were more visits than were read.
    """

    since: datetime
    until: datetime
    completed: int
    failed: int
    cancelled: int
    running: int
    success_rate: float | None
    retried: int
    retry_rate: float | None
    stages: tuple[StageTime, ...]
    sampled: int
    top_codes: tuple[CodeCount, ...]
    is_complete: bool


async def statistics(operator: Operator, window: timedelta = STATISTICS_OF) -> Statistics:
    """Return the statistics of the last `window`."""
    now = operator.services.clock.now()
    since = now - window
    visits = await changed_since(operator, since)
    ended = [visit for visit in visits if _ended_since(visit, since)]
    standing = Counter(visit.processing_status for visit in ended)
    completed = standing[ProcessingStatus.COMPLETED]
    failed = standing[ProcessingStatus.FAILED]
    retried = sum(visit.retry_count > 0 for visit in ended)
    codes = Counter(visit.processing_error.code for visit in ended if visit.processing_error)
    sample = ended[:SAMPLE]
    return Statistics(
        since=since,
        until=now,
        completed=completed,
        failed=failed,
        cancelled=standing[ProcessingStatus.CANCELLED],
        running=sum(not visit.processing_status.is_terminal for visit in visits),
        success_rate=_rate(completed, completed + failed),
        retried=retried,
        retry_rate=_rate(retried, len(ended)),
        stages=await _stage_times(operator, sample, since),
        sampled=len(sample),
        top_codes=tuple(CodeCount(code=code, count=n) for code, n in codes.most_common(10)),
        is_complete=len(visits) < MOST,
    )


async def changed_since(operator: Operator, since: datetime, most: int = MOST) -> list[VisitLine]:
    """Return the visits that changed since then, the newest first; at most `most` visits."""
    wanted = VisitFilter(updated_since=since)
    visits: list[VisitLine] = []
    while len(visits) < most:
        after = mark_of(visits[-1]) if visits else None
        page = await operator.services.operators.visits(wanted, PAGE, after)
        visits += page
        if len(page) < PAGE:
            break
    return visits[:most]


def _ended_since(visit: VisitLine, since: datetime) -> bool:
    if not visit.processing_status.is_terminal:
        return False
    ended_at = visit.timings.processing_completed_at if visit.timings else None
    return (ended_at or visit.updated_at) >= since


async def _stage_times(
    operator: Operator, visits: Sequence[VisitLine], since: datetime
) -> tuple[StageTime, ...]:
    services = operator.services
    gate = asyncio.Semaphore(AT_ONCE)
    seconds: dict[Stage, list[float]] = {stage: [] for stage in Stage}

    async def read(visit: VisitLine) -> None:
        async with gate:
            history = await services.store.history(visit.visit_id)
        for run in stage_runs(history, services.clock.now()):
            if run.outcome is RunOutcome.DONE and run.ended_at and run.ended_at >= since:
                seconds[run.stage].append(run.seconds)

    await asyncio.gather(*(read(visit) for visit in visits))
    return tuple(_stage_time(stage, taken) for stage, taken in seconds.items() if taken)


def _stage_time(stage: Stage, taken: list[float]) -> StageTime:
    slow = quantiles(taken, n=20, method="inclusive")[-1] if len(taken) > 1 else taken[0]
    return StageTime(
        stage=stage,
        runs=len(taken),
        median_seconds=round(median(taken), 3),
        slow_seconds=round(slow, 3),
    )


def _rate(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
