"""The commands about what works on the visits: queues, scheduled calls, breakers."""

import argparse
from collections.abc import Sequence
from typing import Any

from rich.table import Table

from infra.ops.desk import Desk
from infra.ops.tables import ago, lasting, table_of
from lumimd.operations import breakers, queues, schedules
from lumimd.operations.controls import QueueState, RunState, ScheduleState
from lumimd.resilience.breaker_state import Breaker


def add_commands(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the commands of this module."""
    queue = commands.add_parser(
        "queues", parents=[common], help="the task queues: look, pause, resume"
    )
    queue.set_defaults(command=look_at_queues)
    actions = queue.add_subparsers(metavar="ACTION")
    for action, does in (("pause", "hand out no more tasks"), ("resume", "hand them out again")):
        one = actions.add_parser(action, parents=[common], help=does)
        one.add_argument("name", metavar="NAME")
        one.set_defaults(command=change_queue, action=action)

    schedule = commands.add_parser("schedule", parents=[common], help="the scheduled calls")
    actions = schedule.add_subparsers(metavar="ACTION", required=True)
    listed = actions.add_parser("list", parents=[common], help="when they ran and run next")
    listed.set_defaults(command=look_at_schedules)
    for action, does in (
        ("run", "make the call now"),
        ("pause", "make no more calls"),
        ("resume", "make them again"),
    ):
        one = actions.add_parser(action, parents=[common], help=does)
        one.add_argument("name", metavar="NAME")
        one.set_defaults(command=change_schedule, action=action)

    breaker = commands.add_parser(
        "breakers", parents=[common], help="which dependency is left alone"
    )
    breaker.set_defaults(command=look_at_breakers)
    actions = breaker.add_subparsers(metavar="ACTION")
    one = actions.add_parser("reset", parents=[common], help="let calls through again")
    one.add_argument("name", metavar="NAME", choices=breakers.NAMES)
    one.set_defaults(command=reset_breaker)


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
    """Which dependency is left alone, since when and why."""
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


def _of_queues(desk: Desk, found: Sequence[QueueState]) -> Table:
    now = desk.operator.parts.clock.now()
    table = table_of("queue", "state", "waiting", "retrying", "oldest", "a second", "at once")
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


def _of_schedules(desk: Desk, found: Sequence[ScheduleState]) -> Table:
    now = desk.operator.parts.clock.now()
    table = table_of("scheduled call", "state", "schedule", "last", "ended", "next")
    for each in found:
        ended = {None: "-", 0: "[green]well[/]"}.get(
            each.last_code, f"[red]code {each.last_code}[/]"
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


def _of_breakers(desk: Desk, found: Sequence[Breaker]) -> Table:
    now = desk.operator.parts.clock.now()
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
