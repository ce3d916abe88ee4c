"""The audit log of operators' changes and reads; an entry is written before its action.

If an entry cannot be written, its action does not happen. An entry without a recorded outcome stays
`begun`: the action may or may not have happened, and an operator should check.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from lumimd.domain.codes import RefusalCode
from lumimd.domain.errors import OperatorRefused, Refused, Transient
from lumimd.domain.visit import Visit
from lumimd.operations.operator import Operator
from lumimd.ports.service_controls import QueueControl, QueueState, ScheduleControl, ScheduleState
from lumimd.stores.operator_store import AuditEntry, AuditOutcome
from lumimd.telemetry import logs

_State = TypeVar("_State", QueueState, ScheduleState)


@dataclass
class Note:
    """The result of an action, for its entry in the log."""

    after: dict[str, Any] | None = None


@asynccontextmanager
async def audited(
    operator: Operator,
    action: str,
    target: str,
    *,
    reason: str | None = None,
    before: dict[str, Any] | None = None,
) -> AsyncIterator[Note]:
    """Run an action inside; log it before it begins, and log its outcome afterwards.

    Raises:
        Transient: the log is not available, and the action did not begin.
    """
    entry = _entry(operator, action, target, reason=reason, before=before)
    await operator.services.operators.append_audit(entry)
    note, outcome, code = Note(), AuditOutcome.FAILED, None
    try:
        yield note
        outcome = AuditOutcome.DONE
    except (Refused, OperatorRefused) as refusal:
        outcome, code = AuditOutcome.REFUSED, str(refusal.code)
        raise
    except Exception as error:
        code = type(error).__name__
        raise
    finally:
        ended: dict[str, Any] = {"after": note.after, "outcome": outcome, "code": code}
        ended["ended_at"] = operator.services.clock.now()
        try:
            await operator.services.operators.complete_audit(entry.model_copy(update=ended))
        except Transient as error:  # the action is complete; its entry stays `begun`
            logs.failure("audit_not_completed", error)


async def audited_control(
    operator: Operator,
    action: str,
    name: str,
    control: QueueControl | ScheduleControl,
    change: Callable[[str], Awaitable[_State]],
) -> _State:
    """Change a queue or scheduled call by name, and log its state before and after."""
    known = {each.name: each.state.value for each in await control.all()}
    before = {"state": known[name]} if name in known else None
    async with audited(operator, action, name, before=before) as note:
        changed = await change(name)
        note.after = {"state": changed.state.value}
    return changed


async def note_reading(operator: Operator, action: str, target: str) -> None:
    """Log that an operator is about to see data of visits.

    Raises:
        Transient: the log is not available; then no data may be shown.
    """
    entry = _entry(operator, action, target)
    now = operator.services.clock.now()
    done = {"outcome": AuditOutcome.DONE, "ended_at": now}
    await operator.services.operators.append_audit(entry.model_copy(update=done))


async def read_visit(operator: Operator, visit_id: str) -> Visit:
    """Return the whole visit with its summary, for an operator who investigates it.

    Raises:
        Refused: the visit does not exist; the read is logged nevertheless.
        Transient: the log or the store is not available.
    """
    await note_reading(operator, "read_visit", visit_id)
    stored = await operator.services.store.get(visit_id)
    if stored is None:
        raise Refused(RefusalCode.VISIT_NOT_FOUND)
    return stored.visit


def standing(visit: Visit | None) -> dict[str, Any] | None:
    """Return the fields of a visit that an action may change: codes and numbers, no words."""
    if visit is None:
        return None
    return {
        "status": visit.status.value,
        "processingStatus": visit.processing_status.value,
        "attempt": visit.attempt,
        "code": visit.processing_error.code.value if visit.processing_error else None,
    }


def _entry(operator: Operator, action: str, target: str, **fields: Any) -> AuditEntry:
    services = operator.services
    return AuditEntry(
        entry_id=services.new_id(),
        at=services.clock.now(),
        actor=operator.name,
        action=action,
        target=target,
        **fields,
    )
