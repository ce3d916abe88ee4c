"""After a backup was restored: repeat the deletions since the backup, and set the holds again.

A backup contains no later deletion or legal hold. The deletion receipts and the marks of legal
holds are kept outside of the restore, so they show which restored visits to delete and which to
hold.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import suppress
from datetime import datetime
from typing import Final

from pydantic.alias_generators import to_camel

from lumimd.domain.codes import RefusalCode
from lumimd.domain.document import Document
from lumimd.domain.errors import Refused, Transient
from lumimd.domain.visit import Deletion
from lumimd.operations.audit import audited
from lumimd.operations.operator import Operator
from lumimd.pipeline import commands, legal_hold
from lumimd.pipeline.delete import delete_remains
from lumimd.pipeline.erase import user_of
from lumimd.pipeline.rounds import several_at_once
from lumimd.ports.paging import pages
from lumimd.telemetry import logs

PAGE: Final = 100

TRIES: Final = 5
"""Tries per visit; after them the visit is listed as `missed`."""

WHY: Final = "restored from a backup"

LISTS: Final = ("deleted", "swept", "held", "held_deleted", "missed")

Found = dict[str, list[str]]
"""The visit ids of every list in the result, in the order of the work."""


class AfterRestore(Document):
    """The visits that were deleted again, swept again, and put under legal hold again.

    `held_deleted` visits were deleted after the backup, but the restored visits are under legal
    hold: an operator decides whether to release and delete them, or to keep them. `missed` visits
    could not be read or changed now: repeat the call. If the time was too short for all deletions,
    continue from `resume_since`.
    """

    deleted: tuple[str, ...]
    swept: tuple[str, ...]
    held: tuple[str, ...]
    held_deleted: tuple[str, ...]
    missed: tuple[str, ...]
    resume_since: datetime | None = None


async def after_restore(
    operator: Operator, since: datetime, ends_at: datetime | None = None
) -> AfterRestore:
    """Set all legal holds again, and repeat the deletions requested after `since`.

    The call can be repeated.

    A failing visit does not stop the others. After `ends_at` no more deletion receipts are read.

    Raises:
        Transient: the lists of holds and deletion receipts are not available; repeat the call.
    """
    found: Found = {name: [] for name in LISTS}
    before = {"since": since.isoformat()}
    async with audited(operator, "after_restore", "restored visits", before=before) as note:
        await _hold_again(operator, found)
        resume_since = await _delete_again(operator, since, ends_at, found)
        lists = {name: tuple(dict.fromkeys(ids)) for name, ids in found.items()}
        note.after = {to_camel(name): len(ids) for name, ids in lists.items()}
    return AfterRestore(**lists, resume_since=resume_since)


async def _hold_again(operator: Operator, found: Found) -> None:
    """Set the legal holds first, so that no visit that must be kept is deleted or erased.

    If the legal hold cannot be set again, its mark stays and refuses every deletion. A legal hold
    that is released after its mark was listed stays released; its visit may be deleted by then.
    """
    services = operator.services

    async def hold(visit_id: str) -> None:
        stored = await services.store.get(visit_id)
        if stored is None or stored.visit.legal_hold:
            return
        with suppress(Refused):  # the visit was deleted concurrently
            async with audited(operator, "hold", visit_id, reason=WHY) as note:
                visit = await legal_hold.hold(services, visit_id, only_as_marked=True)
                note.after = {"legalHold": visit.legal_hold}
            if visit.legal_hold:
                found["held"].append(visit_id)

    async for page in pages(lambda at: services.deletions.holds(PAGE, at)):
        marked = (mark.visit_id for mark in page.items)
        await _each(marked, hold, lambda error: logs.failure("hold_not_repeated", error), found)


async def _delete_again(
    operator: Operator, since: datetime, ends_at: datetime | None, found: Found
) -> datetime | None:
    """Repeat the deletions; return the time from which deletion receipts remain, or None.

    The first page is always processed, so that every call makes progress. Receipts of deletions
    made during this call come last in the list, and their visits were not restored.
    """
    services = operator.services
    began = services.clock.now()
    is_first = True
    async for page in pages(lambda at: services.deletions.since(since, PAGE, at)):
        is_over = ends_at is not None and services.clock.now() >= ends_at
        earlier = [receipt for receipt in page.items if receipt.requested_at < began]
        if is_over and not is_first and earlier:
            return earlier[0].requested_at
        is_first = False
        owners = {
            visit_id: receipt.user_id
            for receipt in earlier
            async for visit_id in _visits_of(operator, receipt, found)
        }

        async def delete(visit_id: str, owners: dict[str, str] = owners) -> None:
            await _deleted_again(operator, visit_id, owners[visit_id], found)

        otherwise = lambda error: logs.failure("deletion_not_repeated", error)  # noqa: E731
        await _each(owners, delete, otherwise, found)
    return None


async def _each(
    visit_ids: Iterable[str],
    work: Callable[[str], Awaitable[None]],
    otherwise: Callable[[Exception], None],
    found: Found,
) -> None:
    """Do the work for each visit; `otherwise` logs a bug, or the last of several failures."""

    async def tried(visit_id: str) -> None:
        for tries_left in reversed(range(TRIES)):
            try:
                return await work(visit_id)
            except Transient as error:
                if not tries_left:
                    otherwise(error)
            except Exception as bug:  # a bug with one visit does not stop the others
                otherwise(bug)
                break
        found["missed"].append(visit_id)

    await several_at_once(visit_ids, tried)


async def _visits_of(operator: Operator, receipt: Deletion, found: Found) -> AsyncIterator[str]:
    """Yield the visit of a deletion receipt.

    For the deletion receipt of a user, yield the user's visits from before it.
    """
    user_id = user_of(receipt)
    if user_id is None:
        yield receipt.visit_id
        return
    deletions = operator.services.deletions
    async for page in pages(lambda at: deletions.visits_of(user_id, PAGE, at)):
        found["missed"] += page.unreadable
        for visit in page.items:
            if visit.created_at <= receipt.requested_at:
                yield visit.visit_id


async def _deleted_again(operator: Operator, visit_id: str, user_id: str, found: Found) -> None:
    if await operator.services.store.get(visit_id) is None:
        if await delete_remains(operator.services, visit_id, user_id):
            found["swept"].append(visit_id)
        return
    async with audited(operator, "delete", visit_id, reason=WHY):
        try:
            await commands.delete(operator.services, visit_id)
        except Refused as refused:
            if refused.code is RefusalCode.LEGAL_HOLD:
                found["held_deleted"].append(visit_id)
                return
    found["deleted"].append(visit_id)
