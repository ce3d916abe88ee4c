"""The commands that help a visit, each named only where it would be accepted."""

from infra.ops.connection import NeedsSetting
from infra.ops.desk import Desk
from lumimd.domain.dead_letter import LetterState
from lumimd.domain.errors import Permanent, Transient
from lumimd.domain.visit import ProcessingStatus, Visit
from lumimd.domain.visit_line import VisitLine
from lumimd.operations.rerun import From
from lumimd.pipeline.commands import RETRY_GAP
from lumimd.ports.operator_store import is_stuck


async def steps_after(desk: Desk, visit: Visit) -> list[str]:
    """What can be done with a visit that failed or is stuck; empty for any other."""
    now = desk.operator.services.clock.now()
    if visit.processing_status is ProcessingStatus.FAILED:
        return ["", *await _after_failure(desk, visit)]
    if is_stuck(VisitLine.of(visit), now):
        return ["", "It is overdue or stands still. To find the reason:", _line(desk, "doctor")]
    return []


async def _after_failure(desk: Desk, visit: Visit) -> list[str]:
    error = visit.processing_error
    if error is not None and error.retryable and visit.audio is not None:
        said = ["Another attempt may well succeed."]
        wait = _wait_s(desk, visit)
        if wait > 0:
            said.append(f"It was retried a moment ago; the next retry can be made in {wait:.0f} s.")
        else:
            said.append(_line(desk, "retry", visit.visit_id))
    else:
        said = ["Another attempt would fail again: the recording is the trouble."]
    found = await desk.operator.services.operators.letter(visit.visit_id)
    if found is not None and found.letter.state is LetterState.OPEN:
        said.append("To put its dead letter away, with your reason:")
        said.append(_line(desk, "discard", visit.visit_id, "--reason", "no attempt helps"))
    return said


async def rerun_advice(desk: Desk, visit: Visit) -> list[str]:
    """How to work on the recording again in spite of a permanent failure, if it can be read."""
    if visit.audio is None or not await _is_readable(desk, visit):
        return []
    line = _line(desk, "rerun", visit.visit_id, "--from", From.SUBMISSION)
    return ["If the cause is gone, work on the recording again, which is paid for again:", line]


async def _is_readable(desk: Desk, visit: Visit) -> bool:
    assert visit.audio is not None
    try:
        await desk.operator.services.audio.measure(visit.audio)
    except (Permanent, Transient, NeedsSetting):
        return False
    return True


def _wait_s(desk: Desk, visit: Visit) -> float:
    if visit.last_retry_at is None:
        return 0
    now = desk.operator.services.clock.now()
    return (visit.last_retry_at + RETRY_GAP - now).total_seconds()


def _line(desk: Desk, *words: str) -> str:
    return f"  {desk.command(*words)}"
