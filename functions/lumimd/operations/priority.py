"""Make a visit urgent in the fair queue, or ordinary again, with an audit entry."""

from lumimd.domain.visit import Visit
from lumimd.operations.audit import audited
from lumimd.operations.operator import Operator
from lumimd.pipeline import commands


async def prioritize(operator: Operator, visit_id: str, *, urgent: bool) -> Visit:
    """Make a visit urgent, or ordinary again.

    Raises:
        Refused: the visit does not exist, or has ended.
    """
    stored = await operator.services.store.get(visit_id)
    before = {"urgent": stored.visit.urgent} if stored else None
    action = "prioritize" if urgent else "deprioritize"
    async with audited(operator, action, visit_id, before=before) as note:
        visit = await commands.prioritize(operator.services, visit_id, urgent=urgent)
        note.after = {"urgent": visit.urgent}
    return visit
