"""Poller and recovery in one: every visit whose `wake_at` has come gets what it needs.

There is no second mechanism: whatever was lost (a webhook, a task, the holder of a claim), the
visit is due sooner or later, and its status says what to do.
"""

from datetime import datetime, timedelta
from typing import Final

from lumimd.coordination.admission.admit import LOOK_AGAIN
from lumimd.domain import events as e
from lumimd.domain.commit import Stored
from lumimd.domain.visit import ProcessingStatus, Stage, Visit
from lumimd.pipeline import collect, erase, submit
from lumimd.pipeline.lease import lease
from lumimd.pipeline.rounds import Run
from lumimd.pipeline.save import save_event
from lumimd.pipeline.services import Services
from lumimd.pipeline.switches import refusal, waits_for_switch
from lumimd.policies.deployment_faults import is_fault, since_fault
from lumimd.policies.due import Need, need
from lumimd.policies.waiting import GIVE_UP_AFTER, held_until, lacks_provisional
from lumimd.ports.paging import pages
from lumimd.telemetry import logs, metrics

BATCH: Final = 300
AT_ONCE: Final = 50
"""Visits that one invocation looks at concurrently; far below the provider's request limit."""

DUE_WITHIN: Final = timedelta(minutes=2)
"""How long the due visits are read; then the line and the deletions have their turn as well."""

WITHIN: Final = timedelta(minutes=4)
"""After that a run begins nothing more: its function is stopped after five minutes."""


def _is_due(services: Services, visit: Visit) -> bool:
    now = services.clock.now()
    return visit.wake_at is not None and visit.wake_at <= now and not visit.is_leased(now)


def _may_have_killed(visit: Visit, now: datetime) -> bool:
    """Whether its recording may have ended the process that had opened it."""
    is_pending = visit.processing_status is ProcessingStatus.PENDING
    return is_pending and e.expired_without_outcome(visit) and not visit.is_leased(now)


async def wake_due(services: Services) -> int:
    """Look after every due visit, the longest overdue first; returns how many there were.

    Then it admits visits from the line, notes delays and sweeps deleted visits. Poison-pill
    isolation: a recording that crashes its worker stops the worker's other visits, too; so visits
    whose last lease expired without an outcome come last, one at a time. Each of the five parts has
    its turn, also after another one failed.

    Raises:
        Transient: the store is not available.
        ExceptionGroup: bugs, after every visit had its turn.
    """
    now = services.clock.now()
    tick = metrics.Tick(now)
    run = Run(services.clock, _log_failure, at_once=AT_ONCE, ends_at=now + WITHIN)
    suspects: list[Stored] = []

    async def wake_one(stored: Stored) -> None:
        await wake(services, stored)

    async def submit_one(stored: Stored) -> None:
        await submit_called(services, stored)

    async def note_one(stored: Stored) -> None:
        await note_delay(services, stored)

    async def due() -> None:
        async for page in pages(lambda after: services.store.due(now, BATCH, after)):
            tick.found(run.passed_over(page))
            others = [stored for stored in page.items if not _may_have_killed(stored.visit, now)]
            suspects.extend(each for each in page.items if _may_have_killed(each.visit, now))
            await run.at_once(others, wake_one)
            if page.cursor is not None and services.clock.now() >= now + DUE_WITHIN:
                run.is_out_of_time = True
                return

    async def line() -> None:
        await run.at_once(await services.admission.admit_waiting(services), submit_one)

    async def delays() -> None:
        async for page in pages(lambda after: services.store.overdue(now, BATCH, after)):
            run.passed_over(page)
            await run.at_once(page.items, note_one)

    await run.part("due", due())
    await run.part("line", line())
    if not run.failed_parts:
        tick.ended()
    await run.part("delays", delays())
    await run.part("deletions", erase.sweep_due(services, now, run))
    await run.one_by_one(suspects, wake_one)
    run.end("wake_due_visits")
    return tick.count


async def wake(services: Services, stored: Stored) -> None:
    """Give one due visit what it needs.

    Raises:
        Transient: the store is not available.
    """
    needed = need(stored.visit, services.clock.now(), services.policy.expires_after)
    if needed is not Need.NOTHING and await waits_for_switch(services, stored):
        return
    match needed:
        case Need.EXPIRE:
            expired = e.VisitExpired(stored.visit.attempt)
            await save_event(services, stored, expired, still_wanted=lambda v: _is_due(services, v))
        case Need.SUBMIT:
            if await _goes_on_waiting(services, stored, Stage.SUBMISSION, e.SubmissionHeld):
                return
            await submit_called(services, stored)
        case Need.STAY_IN_LINE:
            now = services.clock.now()
            # It is called when it is its turn; this is only so that nothing is ever forgotten.
            stays = e.SubmissionQueued(
                stored.visit.attempt, stored.visit.turn, now + LOOK_AGAIN, had_lease=False
            )
            await save_event(services, stored, stays, still_wanted=lambda v: _is_due(services, v))
        case Need.COLLECT:
            await collect.poll(services, stored)
        case Need.REQUEST_SUMMARY:
            if await _goes_on_waiting(services, stored, Stage.SUMMARY, e.SummaryHeld):
                return
            # The save decides: of two overlapping runs, one creates the task. The other one must
            # not take the claim from whoever has begun to work on it.
            requested = e.SummaryRequested(stored.visit.attempt)
            await save_event(
                services, stored, requested, still_wanted=lambda v: _is_due(services, v)
            )
        case Need.NOTHING:
            logs.event("nothing_to_wake")


async def submit_called(services: Services, stored: Stored) -> None:
    """Submit a visit whose turn it is.

    Raises:
        Transient: the store is not available.
    """
    if await waits_for_switch(services, stored):
        return
    leased = await lease(services, stored, e.SubmissionClaimed)
    if leased is not None:
        await submit.submit(services, leased)


async def note_delay(services: Services, stored: Stored) -> None:
    """Write into a visit that it takes longer than expected, for whoever listens to it.

    Raises:
        Transient: the store is not available.
    """

    def is_overdue(visit: Visit) -> bool:
        return visit.overdue_at is not None and visit.overdue_at <= services.clock.now()

    if is_overdue(stored.visit):
        delayed = e.VisitDelayed(stored.visit.attempt)
        await save_event(services, stored, delayed, still_wanted=is_overdue)


async def _goes_on_waiting(
    services: Services, stored: Stored, stage: Stage, held: type[e.SubmissionHeld]
) -> bool:
    """Whether a held visit has to wait longer: one write, where a task and a claim would be four.

    Who is to be shown a provisional summary, or to be given up, gets that from `fallback.py`.
    """
    visit, now = stored.visit, services.clock.now()
    if visit.held_since is None:
        return False
    if now - since_fault(visit, visit.held_since) > GIVE_UP_AFTER:
        return False
    if stage is Stage.SUMMARY and lacks_provisional(visit, now):
        return False
    refused = await refusal(services, stage)
    if refused is None:
        return False
    until = held_until(visit, refused, now)
    event = held(visit.attempt, until, had_lease=False, for_fault=is_fault(refused))
    await save_event(services, stored, event, still_wanted=lambda v: _is_due(services, v))
    return True


def _log_failure(trouble: Exception) -> None:
    logs.failure("wake_failed", trouble)
