"""Protect a visit from every deletion, and end that: with a reason, and on record."""

from lumimd import commands
from lumimd.operations.audit import audited
from lumimd.operations.operator import Operator
from lumimd.records import Visit


async def hold(operator: Operator, visit_id: str, *, reason: str) -> Visit:
    """Nobody and nothing deletes the visit until it is released.

    Raises:
        Refused: there is no such visit.
    """
    return await _become(operator, visit_id, legally=True, reason=reason)


async def release(operator: Operator, visit_id: str, *, reason: str) -> Visit:
    """The visit may be deleted again; what is due for deletion will be.

    Raises:
        Refused: there is no such visit.
    """
    return await _become(operator, visit_id, legally=False, reason=reason)


async def _become(operator: Operator, visit_id: str, *, legally: bool, reason: str) -> Visit:
    stored = await operator.parts.store.get(visit_id)
    before = {"legalHold": stored.visit.legal_hold} if stored else None
    action = "hold" if legally else "release"
    async with audited(operator, action, visit_id, reason=reason, before=before) as note:
        visit = await commands.hold(operator.parts, visit_id, legally=legally)
        note.after = {"legalHold": visit.legal_hold}
    return visit
