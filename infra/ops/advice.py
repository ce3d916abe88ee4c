"""Suggests the commands that can repair a visit, but only commands that would be accepted."""

from infra.ops.connection import NeedsSetting
from infra.ops.session import Session
from lumimd.domain.dead_letter import LetterState
from lumimd.domain.errors import Permanent, Transient
from lumimd.domain.visit import ProcessingStatus, Visit, VisitLine
from lumimd.operations.rerun import From
from lumimd.policies.due import RETRY_GAP
from lumimd.stores.operator_store import is_stuck


async def steps_after(session: Session, visit: Visit) -> list[str]:
    """Return the advice for a visit that failed or is stuck; empty for any other visit."""
    now = session.operator.services.clock.now()
    if visit.processing_status is ProcessingStatus.FAILED:
        return ["", *await _after_failure(session, visit)]
    if is_stuck(VisitLine.of(visit), now):
        return ["", "It is overdue or stands still. To find the reason:", _line(session, "doctor")]
    return []


async def _after_failure(session: Session, visit: Visit) -> list[str]:
    error = visit.processing_error
    if error is not None and error.retryable and visit.audio is not None:
        lines = ["Another attempt may well succeed."]
        wait = _wait_s(session, visit)
        if wait > 0:
            lines.append(
                f"It was retried a moment ago; the next retry can be made in {wait:.0f} s."
            )
        else:
            lines.append(_line(session, "retry", visit.visit_id))
    else:
        lines = ["Another attempt would fail again: the recording is the trouble."]
    found = await session.operator.services.operators.letter(visit.visit_id)
    if found is not None and found.letter.state is LetterState.OPEN:
        lines.append("To put its dead letter away, with your reason:")
        lines.append(_line(session, "discard", visit.visit_id, "--reason", "no attempt helps"))
    return lines


async def rerun_advice(session: Session, visit: Visit) -> list[str]:
    """Return the command that reruns a permanently failed visit, if its recording is readable."""
    if visit.audio is None or not await _is_readable(session, visit):
        return []
    line = _line(session, "rerun", visit.visit_id, "--from", From.SUBMISSION)
    return ["If the cause is gone, work on the recording again, which is paid for again:", line]


async def _is_readable(session: Session, visit: Visit) -> bool:
    assert visit.audio is not None
    try:
        await session.operator.services.audio.measure(visit.audio)
    except (Permanent, Transient, NeedsSetting):
        return False
    return True


def _wait_s(session: Session, visit: Visit) -> float:
    if visit.last_retry_at is None:
        return 0
    now = session.operator.services.clock.now()
    return (visit.last_retry_at + RETRY_GAP - now).total_seconds()


def _line(session: Session, *words: str) -> str:
    return f"  {session.command(*words)}"
