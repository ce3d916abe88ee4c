"""Recover and poll: every visit whose `wake_at` has come is moved on by one step.

This is the only recovery mechanism. A visit whose webhook, task or worker was lost becomes due, and
its status determines the next step.
"""

from datetime import datetime
from typing import Final

from lumimd.domain import events as e
from lumimd.domain.commit import Stored
from lumimd.domain.visit import ProcessingStatus, Stage, Visit
from lumimd.pipeline import collect, erase, submit
from lumimd.pipeline.lease import take_lease
from lumimd.pipeline.rounds import Run
from lumimd.pipeline.save import save_event
from lumimd.pipeline.services import Services
from lumimd.pipeline.switches import refusal, waits_for_switch
from lumimd.policies.admission import QUEUE_CHECK
from lumimd.policies.deployment_faults import is_fault, since_fault
from lumimd.policies.due import Need, need
from lumimd.policies.time_budgets import DUE_VISITS, RECOVERY_RUN
from lumimd.policies.waiting import GIVE_UP_AFTER, held_until, lacks_provisional
from lumimd.ports.paging import pages
from lumimd.telemetry import logs, metrics

BATCH: Final = 300
AT_ONCE: Final = 50
"""Visits that one invocation works on at once; far below the provider's request limit."""


def _is_due(services: Services, visit: Visit) -> bool:
    now = services.clock.now()
    return visit.wake_at is not None and visit.wake_at <= now and not visit.is_leased(now)


def _may_have_killed(visit: Visit, now: datetime) -> bool:
    """Return whether the visit's recording may have crashed the worker that opened it."""
    is_pending = visit.processing_status is ProcessingStatus.PENDING
    return is_pending and e.expired_without_outcome(visit) and not visit.is_leased(now)


async def wake_due(services: Services) -> int:
    """Wake every due visit, the longest overdue first; return the number of due visits.

    After that, visits are admitted from the fair queue, delays are noted and deleted visits are
    swept. A part that fails does not stop the other parts. Visits whose last lease expired without
    an outcome run last, one at a time, because a recording that crashes its worker interrupts the
    worker's other visits (poison-pill isolation).

    Raises:
        Transient: the store is not available.
        ExceptionGroup: bugs occurred; raised after all visits.
    """
    now = services.clock.now()
    tick = metrics.Tick(now)
    run = Run(services.clock, _log_failure, at_once=AT_ONCE, ends_at=now + RECOVERY_RUN)
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
            if page.cursor is not None and services.clock.now() >= now + DUE_VISITS:
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
    """Move one due visit on by one step.

    Raises:
        Transient: the store is not available.
    """
    needed = need(stored.visit, services.clock.now(), services.policy.expires_after)
    if needed is Need.NOTHING:
        logs.event("nothing_to_wake")
        return
    if await waits_for_switch(services, stored):
        return
    event = await _event_of(services, stored.visit, needed)
    if event is not None:
        # The save decides between overlapping runs: one run counts, and no lease is taken away.
        await save_event(services, stored, event, still_wanted=lambda v: _is_due(services, v))
    elif needed is Need.SUBMIT:
        await submit_called(services, stored)
    else:
        await collect.poll(services, stored)


async def _event_of(services: Services, visit: Visit, needed: Need) -> e.Event | None:
    """Return the event of a due visit; None where a submission or a poll comes next."""
    match needed:
        case Need.EXPIRE:
            return e.VisitExpired(visit.attempt)
        case Need.STAY_IN_LINE:
            # Admission calls the visit from the fair queue; this check is a safety net.
            until = services.clock.now() + QUEUE_CHECK
            return e.SubmissionQueued(visit.attempt, visit.turn, until, had_lease=False)
        case Need.SUBMIT:
            return await _longer_hold(services, visit, Stage.SUBMISSION, e.SubmissionHeld)
        case Need.REQUEST_SUMMARY:
            held = await _longer_hold(services, visit, Stage.SUMMARY, e.SummaryHeld)
            return held or e.SummaryRequested(visit.attempt)
        case _:
            return None


async def submit_called(services: Services, stored: Stored) -> None:
    """Take the submission lease of a visit that the fair queue called, and submit it.

    Raises:
        Transient: the store is not available.
    """
    if await waits_for_switch(services, stored):
        return
    leased = await take_lease(services, stored, e.SubmissionClaimed)
    if leased is not None:
        await submit.submit(services, leased)


async def note_delay(services: Services, stored: Stored) -> None:
    """Mark a visit that takes longer than expected, for the clients that listen to it.

    Raises:
        Transient: the store is not available.
    """

    def is_overdue(visit: Visit) -> bool:
        return visit.overdue_at is not None and visit.overdue_at <= services.clock.now()

    if is_overdue(stored.visit):
        delayed = e.VisitDelayed(stored.visit.attempt)
        await save_event(services, stored, delayed, still_wanted=is_overdue)


async def _longer_hold(
    services: Services, visit: Visit, stage: Stage, held: type[e.SubmissionHeld]
) -> e.Event | None:
    """Return the event of a visit that must wait longer for a dependency; None where it goes on.

    A longer wait is one write instead of four for a task and a lease. `without_model.py` decides on
    the provisional summary and on the end of waiting.
    """
    now = services.clock.now()
    if visit.held_since is None:
        return None
    if now - since_fault(visit, visit.held_since) > GIVE_UP_AFTER:
        return None
    if stage is Stage.SUMMARY and lacks_provisional(visit, now):
        return None
    refused = await refusal(services, stage)
    if refused is None:
        return None
    until = held_until(visit, refused, now)
    return held(visit.attempt, until, had_lease=False, for_fault=is_fault(refused))


def _log_failure(trouble: Exception) -> None:
    logs.failure("wake_failed", trouble)
