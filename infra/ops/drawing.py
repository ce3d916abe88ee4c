"""A visit's timeline drawn for a person: the stages as bars on one axis of time."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from infra.ops.tables import COLOURS, ago, lasting, table_of
from lumimd.operations.lines import VisitLine
from lumimd.operations.operator_store import is_stuck
from lumimd.operations.timeline import RunOutcome, StageRun, Timeline
from lumimd.records import ProcessingStatus

WIDTH: Final = 24
_COLOURS: Final = {
    RunOutcome.DONE: "green",
    RunOutcome.RUNNING: "cyan",
    RunOutcome.FAILED: "red",
    RunOutcome.CANCELLED: "dim",
    RunOutcome.STARTED_OVER: "yellow",
}


def drawn(found: Timeline, now: datetime) -> Iterator[RenderableType]:
    """The visit's facts, its stages as bars, its history, and what can be done next."""
    yield _facts(found.visit, now)
    if found.runs:
        yield _bars(found.runs)
    yield _history(found)
    yield from _next(found.visit, now)


def _facts(visit: VisitLine, now: datetime) -> Tree:
    colour = COLOURS.get(visit.status, "white")
    tree = Tree(f"[bold]{escape(visit.visit_id)}[/]  [{colour}]{visit.status}[/]")
    tree.add(f"user        {escape(visit.user_id)}")
    tree.add(f"created     {visit.created_at:%Y-%m-%d %H:%M:%S} UTC, {ago(visit.created_at, now)}")
    if visit.audio is not None:
        seconds = visit.audio.duration_seconds
        length = f"{lasting(seconds)}, " if seconds is not None else ""
        tree.add(f"recording   {length}{_bytes(visit.audio.size_bytes)}")
    if visit.transcription is not None:
        job = visit.transcription
        pages = f", {job.pages} page{'s' if job.pages > 1 else ''}" if job.pages else ""
        tree.add(f"transcript  {escape(job.provider)} {escape(job.transcript_id)}{pages}")
    if visit.legal_hold:
        tree.add("held        legally: nobody can delete it")
    if visit.processing_error is not None:
        error = visit.processing_error
        tree.add(f"[red]failed[/]      {error.code} in {error.stage}: {escape(error.message)}")
    if visit.trouble is not None:
        trouble = visit.trouble
        tree.add(
            f"trouble     {trouble.last_code}, {trouble.times} times"
            f" since {_time(trouble.first_at)}"
        )
    if visit.wake_at is not None:
        late = (now - visit.wake_at).total_seconds()
        when = f"{lasting(late)} overdue" if late > 0 else f"in {lasting(-late)}"
        tree.add(f"looked at   next at {_time(visit.wake_at)}, {when}")
    if visit.is_claimed_at(now) and visit.claim is not None:
        tree.add(f"claimed     until {_time(visit.claim.until)}")
    return tree


def _bars(runs: tuple[StageRun, ...]) -> Table:
    begin = runs[0].started_at
    end = max((run.started_at.timestamp() + run.seconds for run in runs), default=0)
    whole = max(end - begin.timestamp(), 0.001)
    table = table_of("attempt", "stage", "outcome", "time", "took", "tries", "trouble")
    table.caption = f"{lasting(whole)} from the first step to the last"
    for run in runs:
        left = round((run.started_at - begin).total_seconds() / whole * WIDTH)
        length = max(1, round(run.seconds / whole * WIDTH))
        left = min(left, WIDTH - length)
        colour = _COLOURS[run.outcome]
        bar = Text("·" * left + "━" * length + "·" * (WIDTH - left - length), style="dim")
        bar.stylize(f"not dim {colour}", left, left + length)
        table.add_row(
            str(run.attempt),
            run.stage,
            f"[{colour}]{run.outcome.replace('_', ' ')}[/]",
            bar,
            lasting(run.seconds),
            str(run.tries or "-"),
            ", ".join(run.trouble).replace("_", " "),
        )
    return table


def _history(found: Timeline) -> Table:
    table = Table.grid(padding=(0, 2))
    for entry in found.history:
        detail = f" ({entry.detail})" if entry.detail else ""
        to = f"-> {entry.to_status}" if entry.to_status is not entry.from_status else ""
        table.add_row(_time(entry.at), str(entry.attempt), f"{entry.event}{detail}", to)
    return table


def _next(visit: VisitLine, now: datetime) -> Iterator[str]:
    if visit.processing_status is ProcessingStatus.FAILED:
        again = (
            "may well succeed"
            if visit.processing_error and visit.processing_error.retryable
            else ("will most likely fail again, for the recording itself is the trouble")
        )
        yield f"\nAnother try {again}."
        yield f"  scripts/ops retry {visit.visit_id}"
        yield f"  scripts/ops discard {visit.visit_id} --reason TEXT"
    elif is_stuck(visit, now):
        yield "\nIt ought to move and does not. What keeps it: scripts/ops doctor"


def _bytes(size: int | None) -> str:
    return "of unknown size" if size is None else f"{size:,} bytes"


def _time(instant: datetime) -> str:
    return f"{instant:%H:%M:%S}"
