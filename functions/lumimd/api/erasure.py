"""Deleting a user: every visit, and what we know of the user besides.

The user's limits stay as used up as they are, under a pseudonym, until they are back (`limits.py`).
"""

import asyncio
from typing import Final

from lumimd import commands
from lumimd.api.account_views import Erased
from lumimd.api.parts import ApiParts
from lumimd.deletion import delete_remains, note_erasure
from lumimd.errors import RefusalCode, Refused, UnreadableDocument
from lumimd.library import Place

PAGE: Final = 50
_AT_ONCE: Final = 10


async def erase_everything(parts: ApiParts, user_id: str) -> Erased:
    """Delete all that can be deleted. Repeated, it goes on where it was interrupted.

    Raises:
        Transient: the store is not available; what is deleted stays deleted.
        UnreadableDocument: a visit cannot be read, nor can the list of its documents be made. All
            others are deleted; the client repeats the request when the visit can be read.
    """
    await note_erasure(parts, user_id)
    deleted: list[str] = []
    held: list[str] = []
    slots = asyncio.Semaphore(_AT_ONCE)

    async def delete(visit_id: str) -> None:
        async with slots:
            try:
                await commands.delete(parts, visit_id)
                deleted.append(visit_id)
            except Refused as refused:
                # Whoever else deleted it, it is gone.
                (held if refused.code is RefusalCode.LEGAL_HOLD else deleted).append(visit_id)

    unreadable: list[str] = []
    after: Place | None = None
    while True:
        page = await parts.library.visits(user_id, limit=PAGE, after=after)
        unreadable += page.unreadable
        await asyncio.gather(*(delete(visit.visit_id) for visit in page.items))
        if len(page.items) < PAGE:
            break
        after = Place(page.items[-1].created_at, page.items[-1].visit_id)
    await _delete_remains(parts, user_id)
    await parts.answers.forget(user_id)
    await parts.admission.forget(user_id)
    await parts.library.forget(user_id)
    if unreadable:
        raise UnreadableDocument("visits", unreadable[0])
    return Erased(deleted_visits=tuple(deleted), kept_for_legal_reasons=tuple(held))


async def _delete_remains(parts: ApiParts, user_id: str) -> None:
    """Action items whose visit is gone: a backup may have brought them back without it."""
    seen: set[str] = set()
    after: Place | None = None
    while True:
        found = await parts.library.actions(user_id, limit=PAGE, after=after)
        for action in found:
            visit_id = action.visit_id
            if visit_id not in seen and await parts.store.get(visit_id) is None:
                await delete_remains(parts, visit_id, user_id)
            seen.add(visit_id)
        if len(found) < PAGE:
            return
        after = Place(found[-1].created_at, found[-1].action_id)
