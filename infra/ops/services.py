"""The commands for the task queues, the scheduled calls and the circuit breakers."""

import argparse
from collections.abc import Sequence

from infra.ops.listing import Listing
from infra.ops.session import Session
from infra.ops.tables import ago, lasting
from lumimd.operations import breakers, queues, schedules
from lumimd.policies.breaker import Breaker
from lumimd.ports.service_controls import QueueState, RunState, ScheduleState


async def show_queues(session: Session, args: argparse.Namespace) -> None:
    """Show the depth of each queue, and the number of visits by status."""
    found = await queues.look(session.operator)
    visits = Listing("visits waiting", "active", "completed", "failed", "cancelled")
    counts = found.visits
    visits.add_row(
        *map(str, (counts.waiting, counts.active, counts.completed, counts.failed)),
        str(counts.cancelled),
    )
    session.show(found, _of_queues(session, found.queues), visits)


async def change_queue(session: Session, args: argparse.Namespace) -> None:
    """Pause or resume a queue; a paused queue keeps its tasks, but no visit is summarized."""
    session.confirm(f"{args.action.capitalize()} the queue {args.name}?")
    change = queues.pause if args.action == "pause" else queues.resume
    queue = await change(session.operator, args.name)
    session.show(queue, _of_queues(session, [queue]))


async def show_schedules(session: Session, args: argparse.Namespace) -> None:
    """Show each scheduled call's last run, the outcome of that run, and the next run."""
    found = await schedules.look(session.operator)
    session.show({"schedules": found}, _of_schedules(session, found))


async def change_schedule(session: Session, args: argparse.Namespace) -> None:
    """Run a scheduled call now, or pause or resume it."""
    session.confirm(f"{args.action.capitalize()} the scheduled call {args.name}?")
    change = {"run": schedules.run, "pause": schedules.pause, "resume": schedules.resume}
    schedule = await change[args.action](session.operator, args.name)
    session.show(schedule, _of_schedules(session, [schedule]))


async def show_breakers(session: Session, args: argparse.Namespace) -> None:
    """Show each circuit breaker's state, the reason for it, and the last change."""
    found = await breakers.look(session.operator)
    session.show(found, _of_breakers(session, found.breakers))


async def reset_breaker(session: Session, args: argparse.Namespace) -> None:
    """Close a circuit breaker; it opens again if the dependency still fails."""
    session.confirm(f"Let calls to {args.name} through again?")
    breaker = await breakers.reset(session.operator, args.name)
    session.show(breaker, _of_breakers(session, [breaker]))


def _of_queues(session: Session, found: Sequence[QueueState]) -> Listing:
    now = session.operator.services.clock.now()
    table = Listing(
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


def _of_schedules(session: Session, found: Sequence[ScheduleState]) -> Listing:
    now = session.operator.services.clock.now()
    table = Listing("scheduled call", "state", "schedule", "last run", "outcome", "next run")
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


def _of_breakers(session: Session, found: Sequence[Breaker]) -> Listing:
    now = session.operator.services.clock.now()
    table = Listing("breaker", "state", "because", "changed")
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
