"""The commands about what works on the visits: queues, scheduled calls, breakers."""

import argparse
from collections.abc import Sequence

from infra.ops.desk import Desk
from infra.ops.listing import Listing
from infra.ops.tables import ago, lasting, table_of
from lumimd.operations import breakers, queues, schedules
from lumimd.policies.breaker import Breaker
from lumimd.ports.service_controls import QueueState, RunState, ScheduleState


async def look_at_queues(desk: Desk, wanted: argparse.Namespace) -> int:
    """How full the queues are, and how many visits stand where."""
    found = await queues.look(desk.operator)
    visits = table_of("visits waiting", "active", "completed", "failed", "cancelled")
    counts = found.visits
    visits.add_row(
        *map(str, (counts.waiting, counts.active, counts.completed, counts.failed)),
        str(counts.cancelled),
    )
    desk.show(found, _of_queues(desk, found.queues), visits)
    return 0


async def change_queue(desk: Desk, wanted: argparse.Namespace) -> int:
    """Pause or resume; a pause loses nothing, but nothing is summarized meanwhile."""
    if not desk.confirm(f"{wanted.action.capitalize()} the queue {wanted.name}?"):
        return 1
    change = queues.pause if wanted.action == "pause" else queues.resume
    queue = await change(desk.operator, wanted.name)
    desk.show(queue, _of_queues(desk, [queue]))
    return 0


async def look_at_schedules(desk: Desk, wanted: argparse.Namespace) -> int:
    """When they ran, how that ended, when they run next."""
    found = await schedules.look(desk.operator)
    desk.show({"schedules": found}, _of_schedules(desk, found))
    return 0


async def change_schedule(desk: Desk, wanted: argparse.Namespace) -> int:
    """Run now, pause, or resume."""
    if not desk.confirm(f"{wanted.action.capitalize()} the scheduled call {wanted.name}?"):
        return 1
    change = {"run": schedules.run, "pause": schedules.pause, "resume": schedules.resume}
    schedule = await change[wanted.action](desk.operator, wanted.name)
    desk.show(schedule, _of_schedules(desk, [schedule]))
    return 0


async def look_at_breakers(desk: Desk, wanted: argparse.Namespace) -> int:
    """Which provider is being skipped, since when and why."""
    found = await breakers.look(desk.operator)
    desk.show(found, _of_breakers(desk, found.breakers))
    return 0


async def reset_breaker(desk: Desk, wanted: argparse.Namespace) -> int:
    """If the dependency is not back, it opens again by itself."""
    if not desk.confirm(f"Let calls to {wanted.name} through again?"):
        return 1
    breaker = await breakers.reset(desk.operator, wanted.name)
    desk.show(breaker, _of_breakers(desk, [breaker]))
    return 0


def _of_queues(desk: Desk, found: Sequence[QueueState]) -> Listing:
    now = desk.operator.services.clock.now()
    table = table_of(
        "queue",
        "state",
        "tasks waiting",
        "tasks retrying",
        "oldest",
        "max per second",
        "max parallel",
    )
    for queue in found:
        table.add_row(
            queue.name,
            _state(queue.state),
            f"{queue.waiting}{' or more' if queue.waiting_is_more else ''}",
            str(queue.retrying),
            ago(queue.oldest_created_at, now) if queue.oldest_created_at else "-",
            f"{queue.per_second:g}",
            str(queue.at_once),
        )
    return table


def _of_schedules(desk: Desk, found: Sequence[ScheduleState]) -> Listing:
    now = desk.operator.services.clock.now()
    table = table_of("scheduled call", "state", "schedule", "last run", "outcome", "next run")
    for each in found:
        ended = {None: "-", 0: "[green]succeeded[/]"}.get(
            each.last_code, f"[red]failed, code {each.last_code}[/]"
        )
        wait = (each.next_at - now).total_seconds() if each.next_at else 0
        table.add_row(
            each.name,
            _state(each.state),
            f"{each.schedule} {each.time_zone}",
            ago(each.last_at, now) if each.last_at else "never",
            ended,
            f"in {lasting(max(0.0, wait))}" if each.state is RunState.RUNNING else "-",
        )
    return table


def _of_breakers(desk: Desk, found: Sequence[Breaker]) -> Listing:
    now = desk.operator.services.clock.now()
    table = table_of("breaker", "state", "because", "changed")
    for breaker in found:
        colour = "green" if breaker.is_closed else "red"
        table.add_row(
            breaker.name,
            f"[{colour}]{breaker.state.replace('_', ' ')}[/]",
            (breaker.reason or "-").replace("_", " "),
            ago(breaker.changed_at, now) if breaker.changed_at else "never",
        )
    return table


def _state(state: RunState) -> str:
    return f"[green]{state}[/]" if state is RunState.RUNNING else f"[yellow]{state}[/]"
