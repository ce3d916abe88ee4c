"""The circuit breakers for operators: read their state and cause, and reset a breaker."""

from typing import Final

from lumimd.domain.codes import OperatorCode
from lumimd.domain.commit import Conflict
from lumimd.domain.document import Document
from lumimd.domain.errors import OperatorRefused
from lumimd.operations.audit import audited
from lumimd.operations.operator import Operator
from lumimd.policies.breaker import MODEL, ORDERS, TRANSCRIPTION, Breaker, key_of

NAMES: Final = (TRANSCRIPTION.name, ORDERS.name, MODEL.name)


class Breakers(Document):
    """The states of all circuit breakers."""

    breakers: tuple[Breaker, ...]


async def look(operator: Operator) -> Breakers:
    """Return the state of every circuit breaker; a breaker that never opened is closed."""
    return Breakers(breakers=tuple([(await _read(operator, name))[0] for name in NAMES]))


async def reset(operator: Operator, name: str) -> Breaker:
    """Close a breaker by hand, when an operator knows that the dependency is back.

    If the dependency is still down, the breaker opens again automatically; waiting visits are not
    lost.

    Raises:
        OperatorRefused: the breaker does not exist, or changed concurrently.
    """
    if name not in NAMES:
        raise OperatorRefused(OperatorCode.NO_SUCH_BREAKER)
    breaker, version = await _read(operator, name)
    async with audited(operator, "reset_breaker", name, before=_audited(breaker)) as note:
        if not breaker.is_closed:
            now = operator.services.clock.now()
            breaker = Breaker(name=name, changed_at=now)
            try:
                await operator.services.breakers.save(key_of(name), version, breaker)
            except Conflict as error:
                raise OperatorRefused(OperatorCode.CHANGED_MEANWHILE) from error
        note.after = _audited(breaker)
    return breaker


async def _read(operator: Operator, name: str) -> tuple[Breaker, object]:
    """Return a breaker with its stored version; the version is None if no document is stored."""
    return await operator.services.breakers.get(key_of(name)) or (Breaker(name=name), None)


def _audited(breaker: Breaker) -> dict[str, str | None]:
    reason = breaker.fault or breaker.reason
    return {"state": breaker.state.value, "reason": reason and reason.value}
