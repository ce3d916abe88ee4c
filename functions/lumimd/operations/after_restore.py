"""After a backup was restored: delete again what was deleted since, and hold what was held.

A backup knows nothing of what came after it. The receipts of deletions and the marks of holds are
not restored, so they say what the restored documents must become again.
"""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Final, Literal

from lumimd import commands, logs
from lumimd.deletion import delete_remains
from lumimd.document import Document
from lumimd.erasure import user_of
from lumimd.errors import RefusalCode, Refused, Transient
from lumimd.operations.audit import audited
from lumimd.operations.operator import Operator
from lumimd.operations.operator_store import VisitFilter, mark_of
from lumimd.queries import pages
from lumimd.records import Deletion

PAGE: Final = 100


class AfterRestore(Document):
    """Which visits were deleted again, swept again and held again.

    `held_deleted` were deleted once and are under legal hold as restored: an operator decides, and
    releases and deletes them, or keeps them. `missed` could not be read or changed now: repeat it.
    """

    deleted: tuple[str, ...]
    swept: tuple[str, ...]
    held: tuple[str, ...]
    held_deleted: tuple[str, ...]
    missed: tuple[str, ...]


async def after_restore(operator: Operator, since: datetime) -> AfterRestore:
    """Repeat the deletions that were requested `since` then, and all holds. Repeatable.

    A visit that cannot be dealt with stops no other one.

    Raises:
        Transient: the lists of holds and receipts are not available; repeat it.
    """
    deleted: list[str] = []
    swept: list[str] = []
    kept: list[str] = []
    missed: list[str] = []
    before = {"since": since.isoformat()}
    async with audited(operator, "after_restore", "restored visits", before=before) as note:
        held, unheld = await _held_again(operator)
        async for receipt in _receipts(operator, since):
            visit_ids = [receipt.visit_id]
            erased = user_of(receipt)
            if erased is not None:
                visit_ids = [each async for each in _of_erased(operator, erased, receipt)]
            for visit_id in visit_ids:
                try:
                    found_as = await _gone_again(operator, visit_id, receipt.user_id)
                except Transient as error:
                    logs.failure("deletion_not_repeated", error)
                    missed.append(visit_id)
                    continue
                if found_as is not None:
                    {"deleted": deleted, "swept": swept, "kept": kept}[found_as].append(visit_id)
        found = AfterRestore(
            deleted=tuple(dict.fromkeys(deleted)),
            swept=tuple(dict.fromkeys(swept)),
            held=tuple(held),
            held_deleted=tuple(dict.fromkeys(kept)),
            missed=tuple(dict.fromkeys((*unheld, *missed))),
        )
        note.after = {name: len(ids) for name, ids in found.model_dump(by_alias=True).items()}
    return found


async def _held_again(operator: Operator) -> tuple[list[str], list[str]]:
    """The visits that are held again, and those that could not be.

    Holds come first: nothing that must be kept is deleted or erased after this. A visit that could
    not be held again keeps its mark, which refuses every deletion.
    """
    parts = operator.parts
    held: list[str] = []
    unheld: list[str] = []
    async for page in pages(lambda at: parts.deletions.holds(PAGE, at)):
        for mark in page.items:
            try:
                stored = await parts.store.get(mark.visit_id)
                if stored is None or stored.visit.legal_hold:
                    continue
                reason = "restored from a backup"
                async with audited(operator, "hold", mark.visit_id, reason=reason):
                    await commands.hold(parts, mark.visit_id, legally=True)
            except Transient as error:
                logs.failure("hold_not_repeated", error)
                unheld.append(mark.visit_id)
            else:
                held.append(mark.visit_id)
    return held, unheld


async def _receipts(operator: Operator, since: datetime) -> AsyncIterator[Deletion]:
    deletions = operator.parts.deletions
    async for page in pages(lambda at: deletions.since(since, PAGE, at)):
        for receipt in page.items:
            yield receipt


async def _of_erased(operator: Operator, user_id: str, receipt: Deletion) -> AsyncIterator[str]:
    """The visits of a deleted user from before the deletion, which have no receipt of their own."""
    store, after = operator.parts.operators, None
    while True:
        page = await store.visits(VisitFilter(user_id=user_id), PAGE, after)
        for line in page:
            if line.created_at <= receipt.requested_at:
                yield line.visit_id
        if len(page) < PAGE:
            return
        after = mark_of(page[-1])


async def _gone_again(
    operator: Operator, visit_id: str, user_id: str
) -> Literal["deleted", "swept", "kept"] | None:
    """What was done about a visit that was deleted once; None where nothing of it is there."""
    stored = await operator.parts.store.get(visit_id)
    if stored is None:
        there = await delete_remains(operator.parts, visit_id, user_id)
        return "swept" if there else None
    async with audited(operator, "delete", visit_id, reason="restored from a backup"):
        try:
            await commands.delete(operator.parts, visit_id)
        except Refused as refused:
            if refused.code is RefusalCode.LEGAL_HOLD:
                return "kept"
    return "deleted"
