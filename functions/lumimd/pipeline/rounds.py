"""Run work over a long list of documents, several at once, within a time budget.

A failure of one document, or of one part of the run, does not stop the others. All failures are
raised at the end of the run, and the log says that the run was partial.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from typing import Final, TypeVar

from lumimd.domain.audio import Upload
from lumimd.domain.commit import Stored
from lumimd.domain.errors import Transient, UnreadableDocument
from lumimd.domain.visit import Deletion
from lumimd.ports.clock import Clock
from lumimd.ports.paging import Page
from lumimd.ports.transcriber import KnownJob
from lumimd.telemetry import logs

T = TypeVar("T", Stored, Deletion, Upload, KnownJob)

MOST_KEPT: Final = 20
"""Failures that a run keeps in memory and raises at its end, even over 100,000 documents."""


class Run:
    """One run of a scheduled function, or of a part of it.

    `log_failure` logs the failure of one document. No document begins after `ends_at`; the next run
    continues. `unreadable` counts the documents that were passed over.
    """

    def __init__(
        self,
        clock: Clock,
        log_failure: Callable[[Exception], None],
        *,
        at_once: int,
        ends_at: datetime,
    ) -> None:
        self.failed = 0
        self.unreadable = 0
        self.is_out_of_time = False
        self.failed_parts: list[str] = []
        self._troubles: list[Exception] = []
        self._clock = clock
        self._log_failure = log_failure
        self._gate = asyncio.Semaphore(at_once)
        self.ends_at = ends_at

    def is_over(self) -> bool:
        """Return whether the time budget is used up."""
        if self._clock.now() >= self.ends_at:
            self.is_out_of_time = True
            return True
        return False

    def passed_over(self, page: Page[T]) -> Page[T]:
        """Return the same page, after its unreadable documents were counted."""
        self.unreadable += len(page.unreadable)
        return page

    async def at_once(self, items: Iterable[T], by: Callable[[T], Awaitable[object]]) -> None:
        """Work on all items, several at a time."""
        await asyncio.gather(*(self._turn(item, by) for item in items))

    async def one_by_one(self, items: Iterable[T], by: Callable[[T], Awaitable[object]]) -> None:
        """Work on all items, one at a time."""
        for item in items:
            await self._turn(item, by)

    async def part(self, name: str, work: Awaitable[object]) -> None:
        """Do one part of the run; its failure does not stop the other parts."""
        try:
            await work
        except Exception as trouble:  # raised by `end`, after all parts
            logs.failure("part_failed", trouble, operation=name)
            self.failed_parts.append(name)
            self._keep(trouble)

    def end(self, operation: str) -> None:
        """Log `run_was_partial` if the run was not complete, and raise its failures.

        Raises:
            Transient: a dependency was not available, and there was no bug.
            ExceptionGroup: bugs occurred; raised after all parts.
        """
        if self.failed or self.failed_parts or self.is_out_of_time:
            logs.event(
                "run_was_partial",
                "warning",
                operation=operation,
                outcome="out_of_time" if self.is_out_of_time else "failed",
                count=self.failed + len(self.failed_parts),
                unreadable=self.unreadable,
            )
        raise_together(operation, self._troubles)

    async def _turn(self, item: T, by: Callable[[T], Awaitable[object]]) -> None:
        async with self._gate:
            if self.is_over():
                return
            with logs.about(**_ids(item)):
                try:
                    await by(item)
                except UnreadableDocument:  # the reader has logged it
                    self.unreadable += 1
                except Exception as trouble:  # raised by `end`, after all items
                    self._log_failure(trouble)
                    self.failed += 1
                    self._keep(trouble)

    def _keep(self, trouble: Exception) -> None:
        if len(self._troubles) < MOST_KEPT:
            self._troubles.append(trouble)


async def several_at_once(ids: Iterable[str], work: Callable[[str], Awaitable[None]]) -> None:
    """Do the work for all ids, ten at a time; the work handles its own failures."""
    gate = asyncio.Semaphore(10)

    async def one(each: str) -> None:
        async with gate:
            await work(each)

    await asyncio.gather(*(one(each) for each in ids))


async def each_for_itself(what: str, *works: Callable[[], Awaitable[object]]) -> None:
    """Do all jobs of `what` one after another; a failure does not stop the next job.

    Raises:
        Transient: a dependency was not available, and there was no bug.
        ExceptionGroup: bugs occurred; raised after all jobs.
    """
    troubles: list[Exception] = []
    for work in works:
        try:
            await work()
        except Exception as trouble:  # raised after the last job
            troubles.append(trouble)
    raise_together(what, troubles)


def raise_together(what: str, troubles: Sequence[Exception]) -> None:
    """Raise the failures, if there are any.

    Raises:
        Transient: all failures are transient.
        ExceptionGroup: some failures are bugs.
    """
    if not troubles:
        return
    if all(isinstance(trouble, Transient) for trouble in troubles):
        raise troubles[0]
    raise ExceptionGroup(what, troubles)


def _ids(item: Stored | Deletion | Upload | KnownJob) -> dict[str, object]:
    match item:
        case Stored(visit):
            return {"visitId": visit.visit_id, "attempt": visit.attempt, "trace": visit.trace}
        case KnownJob():
            return {}
        case Deletion() if item.is_of_everything:
            return {}  # the document's id would name the user
        case _:
            return {"visitId": item.visit_id}
