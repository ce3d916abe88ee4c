"""Dead letters, the visits that failed permanently: read, retry, or discard with a reason."""

from lumimd.domain.codes import OperatorCode
from lumimd.domain.commit import Conflict
from lumimd.domain.dead_letter import DeadLetter, LetterState
from lumimd.domain.errors import OperatorRefused
from lumimd.domain.visit import Visit
from lumimd.operations.audit import audited, standing
from lumimd.operations.operator import Operator
from lumimd.pipeline import commands
from lumimd.stores.operator_store import FoundLetter


async def one(operator: Operator, visit_id: str) -> DeadLetter:
    """Return the dead letter of a visit.

    Raises:
        OperatorRefused: the visit has no dead letter.
    """
    return (await _found(operator, visit_id)).letter


async def retry(operator: Operator, visit_id: str) -> Visit:
    """Begin another attempt at a failed visit, from the stage that failed.

    An existing transcript is kept. A paid job that may exist is looked for before another is
    ordered.

    Raises:
        Refused: the visit is being processed, was retried a moment ago, has not failed or does not
            exist.
    """
    services = operator.services
    stored = await services.store.get(visit_id)
    before = standing(stored.visit if stored else None)
    async with audited(operator, "retry", visit_id, before=before) as note:
        visit = await commands.retry(services, visit_id)
        note.after = standing(visit)
    return visit


async def discard(operator: Operator, visit_id: str, reason: str) -> DeadLetter:
    """Discard a dead letter, which needs no further attention. The visit stays unchanged.

    Raises:
        OperatorRefused: the dead letter does not exist, is discarded already, or changed meanwhile.
    """
    found = await _found(operator, visit_id)
    before = {"state": found.letter.state.value}
    async with audited(operator, "discard", visit_id, reason=reason, before=before) as note:
        if found.letter.state is LetterState.DISCARDED:
            raise OperatorRefused(OperatorCode.ALREADY_DISCARDED)
        now = operator.services.clock.now()
        discarded = found.letter.discarded(operator.name, reason, now)
        try:
            await operator.services.operators.save_letter(found, discarded)
        # The visit was retried or failed anew, so the dead letter is out of date.
        except Conflict as error:
            raise OperatorRefused(OperatorCode.CHANGED_MEANWHILE) from error
        note.after = {"state": discarded.state.value}
    return discarded


async def _found(operator: Operator, visit_id: str) -> FoundLetter:
    found = await operator.services.operators.letter(visit_id)
    if found is None:
        raise OperatorRefused(OperatorCode.NO_DEAD_LETTER)
    return found
