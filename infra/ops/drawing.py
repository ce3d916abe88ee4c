"""Draws the timeline of a visit for people: each stage is a bar on one time axis."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from rich.console import Console, ConsoleOptions, RenderableType
from rich.text import Text

from infra.ops.listing import Listing, field_lines
from infra.ops.tables import COLOURS, ago, lasting
from lumimd.domain.plurals import counted, times
from lumimd.domain.visit import VisitLine
from lumimd.operations.timeline import RunOutcome, StageRun, Timeline

WIDTH: Final = 24
_OUTCOMES: Final = {RunOutcome.STARTED_OVER: "failed, ordered again"}
_COLOURS: Final = {
    RunOutcome.DONE: "green",
    RunOutcome.RUNNING: "cyan",
    RunOutcome.FAILED: "red",
    RunOutcome.CANCELLED: "dim",
    RunOutcome.STARTED_OVER: "yellow",
}


def draw_timeline(found: Timeline, now: datetime) -> Iterator[RenderableType]:
    """Draw the visit's facts, then its stages as bars, then its history."""
    yield Facts(found.visit, now)
    if found.runs:
        yield _bars(found.runs)
    yield from _history(found)


class Facts:
    """The id and the status of a visit, and a line for each known fact."""

    def __init__(self, visit: VisitLine, now: datetime) -> None:
        self._visit: Final = visit
        self._now: Final = now

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        yield from field_lines(list(_facts(self._visit, self._now)), options.max_width)


def _facts(visit: VisitLine, now: datetime) -> Iterator[tuple[str, Text]]:
    yield "visit", Text(visit.visit_id, "bold")
    yield "status", Text(visit.status, COLOURS.get(visit.status, "white"))
    yield "user", Text(visit.user_id)
    yield "created", Text(f"{visit.created_at:%Y-%m-%d %H:%M:%S} UTC, {ago(visit.created_at, now)}")
    if visit.audio is not None:
        seconds = visit.audio.duration_seconds
        length = f"{lasting(seconds)}, " if seconds is not None else ""
        size = visit.audio.size_bytes
        known = "of unknown size" if size is None else f"{size:,} bytes"
        yield "recording", Text(f"{length}{known}")
    if visit.transcription is not None:
        job = visit.transcription
        pages = f", {counted(job.pages, 'page')}" if job.pages else ""
        yield "transcript", Text(f"{job.provider} {job.transcript_id}{pages}")
    if visit.legal_hold:
        yield "held", Text("for legal reasons: it cannot be deleted")
    if visit.processing_error is not None:
        error = visit.processing_error
        yield "failed", Text(f"{error.code} in {error.stage}: {error.message}", "red")
    if visit.trouble is not None:
        trouble = visit.trouble
        since = f"since {_time(trouble.first_at)} UTC"
        yield "trouble", Text(f"{trouble.last_code}, {times(trouble.times)} {since}")
    if visit.wake_at is not None:
        late = (now - visit.wake_at).total_seconds()
        when = f"{lasting(late)} overdue" if late > 0 else f"in {lasting(-late)}"
        yield "next check", Text(f"at {_time(visit.wake_at)} UTC, {when}")
    if visit.is_leased(now) and visit.lease is not None:
        yield "worked on", Text(f"by a lease until {_time(visit.lease.until)} UTC")


def _bars(runs: tuple[StageRun, ...]) -> Listing:
    begin = runs[0].started_at
    end = max((run.started_at.timestamp() + run.seconds for run in runs), default=0)
    whole = max(end - begin.timestamp(), 0.001)
    table = Listing(
        "attempt", "stage", "outcome", "time", "took", "tries", "trouble", dropped_first="time"
    )
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
            f"[{colour}]{_OUTCOMES.get(run.outcome, run.outcome)}[/]",
            bar,
            lasting(run.seconds),
            str(run.tries or "-"),
            ", ".join(run.trouble),
        )
    return table


def _history(found: Timeline) -> Iterator[Text]:
    """Draw one line per event: time (UTC), attempt, event, and new status if it changed."""
    events = [
        f"{entry.event} ({entry.detail})" if entry.detail else entry.event
        for entry in found.history
    ]
    wide = max(map(len, events), default=0)
    for entry, event in zip(found.history, events, strict=True):
        moved = entry.to_status is not entry.from_status
        to = f"  -> {entry.to_status}" if moved else ""
        line = f"{_time(entry.at)}  {entry.attempt}  {event.ljust(wide) if moved else event}{to}"
        yield Text(line)


def _time(instant: datetime) -> str:
    return f"{instant:%H:%M:%S}"
