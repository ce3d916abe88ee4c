"""Place a visit under legal hold, or release it, with a reason and an audit entry."""

from lumimd.domain.codes import RefusalCode
from lumimd.domain.errors import Refused
from lumimd.domain.visit import Visit
from lumimd.operations.audit import audited
from lumimd.operations.operator import Operator
from lumimd.pipeline import commands
from lumimd.pipeline.erase import was_user_erased


async def hold(operator: Operator, visit_id: str, *, reason: str) -> Visit:
    """Protect the visit and its recordings from every change and deletion until the release.

    Raises:
        Refused: the visit does not exist.
        Transient: the store or the bucket is not available; repeat the call.
    """
    return await _become(operator, visit_id, legally=True, reason=reason)


async def release(operator: Operator, visit_id: str, *, reason: str) -> Visit:
    """Allow changes and deletion of the visit again; waiting operations follow.

    If its owner has requested an erasure meanwhile, the visit is deleted now.

    Raises:
        Refused: the visit does not exist.
        Transient: the store or the bucket is not available; repeat the call.
    """
    visit = await _become(operator, visit_id, legally=False, reason=reason)
    if await was_user_erased(operator.services, visit):
        why = "its owner had everything deleted while it was held"
        async with audited(operator, "delete", visit_id, reason=why):
            try:
                await commands.delete(operator.services, visit_id)
            except Refused as refused:
                if refused.code is not RefusalCode.VISIT_NOT_FOUND:
                    raise
    return visit


async def _become(operator: Operator, visit_id: str, *, legally: bool, reason: str) -> Visit:
    stored = await operator.services.store.get(visit_id)
    before = {"legalHold": stored.visit.legal_hold} if stored else None
    action = "hold" if legally else "release"
    async with audited(operator, action, visit_id, reason=reason, before=before) as note:
        visit = await commands.hold(operator.services, visit_id, legally=legally)
        note.after = {"legalHold": visit.legal_hold}
    return visit
