"""Delete all data of a user, thousands of visits, in the background.

The deletion receipt is written first. After that no earlier upload restores data, and the poller
continues the deletion if the request runs out of time, fails or crashes.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from lumimd.domain.codes import RefusalCode
from lumimd.domain.commit import Conflict
from lumimd.domain.errors import Refused, Transient, UnreadableDocument
from lumimd.domain.paths import user_folder
from lumimd.domain.visit import Deletion, Visit, receipt_of_everything
from lumimd.pipeline.compare_and_set import until_saved
from lumimd.pipeline.delete import begin_deletion, delete_remains, sweep
from lumimd.pipeline.rounds import Run, several_at_once
from lumimd.pipeline.services import Services
from lumimd.policies.deletion import SWEEP_AGAIN_AFTER
from lumimd.policies.time_budgets import ERASURE_REQUEST
from lumimd.ports.paging import pages
from lumimd.telemetry import logs

BATCH: Final = 100
"""Documents in one page; a run reads all pages."""


@dataclass
class Erasure:
    """The result of one run for one user; `held` visits stay until the end of their legal hold.

    `is_complete` is True when nothing is left for another run.
    """

    ends_at: datetime
    deleted: list[str] = field(default_factory=list)
    held: list[str] = field(default_factory=list)
    is_out_of_time: bool = False
    has_failed: bool = False

    @property
    def is_complete(self) -> bool:
        return not (self.is_out_of_time or self.has_failed)


async def note_erasure(services: Services, user_id: str) -> None:
    """Write the deletion receipt for all data of a user; earlier uploads are ignored after it.

    Raises:
        Transient: the store is not available.
    """
    now = services.clock.now()
    receipt = Deletion(
        visit_id=receipt_of_everything(user_id),
        user_id=user_id,
        requested_at=now,
        settled_at=now,
        wake_at=now + ERASURE_REQUEST,
        folder=user_folder(user_id),
    )

    async def attempt() -> None:
        found = await services.deletions.get(receipt.visit_id)
        if found is None:
            await services.deletions.create(receipt)
        else:
            await services.deletions.save(found[1], receipt)

    await until_saved(attempt)


async def erase(
    services: Services, user_id: str, ends_at: datetime, *, asked: bool = False
) -> Erasure:
    """Delete the visits from before the deletion receipt; all visits of the user if `asked`.

    No deletion begins after `ends_at`. A visit that cannot be deleted now does not stop the others;
    the poller tries it again.

    Raises:
        Transient: the deletion receipt cannot be read or saved.
    """
    done = Erasure(ends_at)
    found = await services.deletions.get(receipt_of_everything(user_id))
    if found is None:
        return done
    receipt, version = found
    try:
        await _erase_visits(services, user_id, None if asked else receipt.requested_at, done)
        await _erase_remains(services, user_id, done)
    except Transient as error:
        logs.failure("erasure_not_finished", error)
        done.has_failed = True
    try:
        await services.deletions.save(version, _after(receipt, done, services.clock.now()))
    except Conflict:  # a second request, or another run, saved first
        logs.event("deletion_swept_by_another")
    return done


async def sweep_due(services: Services, now: datetime, run: Run) -> None:
    """Continue every due deletion within the time budget of `run`.

    Raises:
        Transient: the store is not available.
    """

    async def go_on(due: Deletion) -> None:
        user_id = user_of(due)
        if user_id is None:
            await sweep(services, due.visit_id)
        else:
            await erase(services, user_id, run.ends_at)

    async for page in pages(lambda after: services.deletions.due(now, BATCH, after)):
        await run.at_once(run.passed_over(page).items, go_on)
        if page.cursor is not None and run.is_over():
            return


def user_of(receipt: Deletion) -> str | None:
    """Return the user of a deletion receipt for a user; None for a deletion receipt of a visit."""
    return receipt.user_id if receipt.is_of_everything else None


async def erasure_of(services: Services, user_id: str) -> Deletion | None:
    """Return the deletion receipt for all data of a user, or None.

    Raises:
        Transient: the store is not available.
    """
    found = await services.deletions.get(receipt_of_everything(user_id))
    return found[0] if found else None


async def was_user_erased(services: Services, visit: Visit) -> bool:
    """Return whether the owner deleted all data after this visit was created.

    Raises:
        Transient: the store is not available.
    """
    erasure = await erasure_of(services, visit.user_id)
    return erasure is not None and visit.created_at <= erasure.requested_at


async def _erase_visits(
    services: Services, user_id: str, created_until: datetime | None, done: Erasure
) -> None:
    def is_meant(visit: Visit) -> bool:
        return created_until is None or visit.created_at <= created_until

    async def delete(visit_id: str) -> None:
        try:
            await begin_deletion(services, visit_id)
        except Refused as refused:
            if refused.code is not RefusalCode.LEGAL_HOLD:
                raise
            done.held.append(visit_id)
        else:
            done.deleted.append(visit_id)

    async for page in pages(lambda at: services.deletions.visits_of(user_id, BATCH, at)):
        done.has_failed |= bool(page.unreadable)
        meant = [visit.visit_id for visit in page.items if is_meant(visit)]
        await _each(services, meant, delete, done)
        if done.is_out_of_time:
            return


async def _erase_remains(services: Services, user_id: str, done: Erasure) -> None:
    """Delete action items without a visit, which a backup may have restored."""
    seen: set[str] = set()

    async def delete(visit_id: str) -> None:
        found = await services.deletions.get(visit_id)
        if found is not None and found[0].wake_at is not None:
            return  # the sweep of that visit deletes them
        if await services.store.get(visit_id) is None:
            await delete_remains(services, visit_id, user_id)

    async for page in pages(lambda at: services.deletions.visits_named(user_id, BATCH, at)):
        done.has_failed |= bool(page.unreadable)
        new = set(page.items) - seen
        seen |= new
        await _each(services, sorted(new), delete, done)
        if done.is_out_of_time:
            return


async def _each(
    services: Services,
    visit_ids: Iterable[str],
    work: Callable[[str], Awaitable[None]],
    done: Erasure,
) -> None:
    """Do the work for every visit, several at once, until the time is up."""

    async def one(visit_id: str) -> None:
        if services.clock.now() >= done.ends_at:
            done.is_out_of_time = True
            return
        with logs.about(visitId=visit_id):
            try:
                await work(visit_id)
            except UnreadableDocument:  # the reader has logged it
                done.has_failed = True
            except Exception as error:  # a bug with one visit does not stop the others
                logs.failure("visit_not_erased", error)
                done.has_failed = True

    await several_at_once(visit_ids, one)


def _after(receipt: Deletion, done: Erasure, now: datetime) -> Deletion:
    visits = receipt.counts.get("visits", 0) + len(done.deleted)
    changes: dict[str, object] = {"counts": {**receipt.counts, "visits": visits}}
    if done.is_complete:
        changes |= {"wake_at": None, "completed_at": now}
    else:
        changes |= {"wake_at": now + SWEEP_AGAIN_AFTER if done.has_failed else now}
    return receipt.model_copy(update=changes)
