"""The scheduled calls: list, run now, pause, resume. During a pause, visits wait."""

from collections.abc import Sequence

from lumimd.operations.audit import audited_control
from lumimd.operations.operator import Operator
from lumimd.ports.service_controls import ScheduleState


async def look(operator: Operator) -> Sequence[ScheduleState]:
    """Return every scheduled call with its last run, that run's result, and its next run."""
    return await operator.services.schedules.all()


async def run(operator: Operator, name: str) -> ScheduleState:
    """Make the scheduled call now."""
    schedules = operator.services.schedules
    return await audited_control(operator, "run_schedule", name, schedules, schedules.run)


async def pause(operator: Operator, name: str) -> ScheduleState:
    """Make no more of these scheduled calls until an operator resumes them."""
    schedules = operator.services.schedules
    return await audited_control(operator, "pause_schedule", name, schedules, schedules.pause)


async def resume(operator: Operator, name: str) -> ScheduleState:
    """Make the scheduled calls again."""
    schedules = operator.services.schedules
    return await audited_control(operator, "resume_schedule", name, schedules, schedules.resume)
