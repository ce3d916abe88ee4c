"""The scheduled calls: list, run now, pause, resume. During a pause, visits wait; none is lost."""

from collections.abc import Awaitable, Callable, Sequence

from lumimd.operations.audit import audited
from lumimd.operations.operator import Operator
from lumimd.ports.service_controls import ScheduleState


async def look(operator: Operator) -> Sequence[ScheduleState]:
    """Every scheduled call: its last run with the result, and its next run."""
    return await operator.services.schedules.all()


async def run(operator: Operator, name: str) -> ScheduleState:
    """Make the call now."""
    return await _changed(operator, "run_schedule", name, operator.services.schedules.run)


async def pause(operator: Operator, name: str) -> ScheduleState:
    """Make no more calls until an operator resumes them."""
    return await _changed(operator, "pause_schedule", name, operator.services.schedules.pause)


async def resume(operator: Operator, name: str) -> ScheduleState:
    """Make calls again."""
    return await _changed(operator, "resume_schedule", name, operator.services.schedules.resume)


async def _changed(
    operator: Operator, action: str, name: str, change: Callable[[str], Awaitable[ScheduleState]]
) -> ScheduleState:
    known = {each.name: each for each in await operator.services.schedules.all()}
    before = {"state": known[name].state.value} if name in known else None
    async with audited(operator, action, name, before=before) as note:
        schedule = await change(name)
        note.after = {"state": schedule.state.value}
    return schedule
