"""The commands that look at the whole: statistics, the doctor, the audit log."""

import argparse
from typing import Any

from rich.table import Table

from infra.ops import asked
from infra.ops.desk import Desk
from infra.ops.tables import lasting, of_entries, table_of
from lumimd.operations.costs import Costs, Prices, costs
from lumimd.operations.doctor import Diagnosis, Level, diagnose
from lumimd.operations.failures import Failures, failures
from lumimd.operations.operator_store import AuditFilter
from lumimd.operations.statistics import Statistics, statistics

_LEVELS = {
    Level.OK: "[green]ok[/]",
    Level.WARNING: "[yellow]look[/]",
    Level.PROBLEM: "[red]wrong[/]",
}


def add_commands(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the commands of this module."""
    stats = commands.add_parser("stats", parents=[common], help="success, times, retries, errors")
    stats.add_argument("--since", type=asked.span, default=asked.span("24h"), metavar="24h")
    stats.set_defaults(command=show_statistics)

    paid = commands.add_parser("costs", parents=[common], help="what the visits used, and cost")
    paid.add_argument("--since", type=asked.span, default=asked.span("30d"), metavar="30d")
    paid.add_argument("--audio-hour", type=float, metavar="PRICE", help="of an hour of recording")
    paid.add_argument("--summary", type=float, metavar="PRICE", help="of one summary")
    paid.set_defaults(command=show_costs)

    doctor = commands.add_parser("doctor", parents=[common], help="what is wrong, in sentences")
    doctor.set_defaults(command=consult_doctor)

    log = commands.add_parser("audit", parents=[common], help="who did what, and who read what")
    log.add_argument("--by", metavar="WHO", help="of one operator")
    log.add_argument("--of", metavar="VISIT", help="what was done to one visit, queue or call")
    log.add_argument("--limit", type=asked.count, default=20, metavar="N", help="default: 20")
    log.set_defaults(command=show_log)


async def show_statistics(desk: Desk, wanted: argparse.Namespace) -> int:
    """How it goes, and what failed for good."""
    now = desk.operator.parts.clock.now()
    found = await statistics(desk.operator, wanted.since)
    failed = await failures(desk.operator, now - wanted.since)
    desk.show(
        {"statistics": found, "failures": failed},
        _rates(found),
        _times(found),
        _codes(found, failed),
        _failures(failed),
    )
    if not (found.is_complete and failed.is_complete):
        desk.say("There were more visits than were counted.")
    return 0


async def show_costs(desk: Desk, wanted: argparse.Namespace) -> int:
    """What was used, by stage; in money only where both prices are given."""
    if (wanted.audio_hour is None) != (wanted.summary is None):
        desk.say("Say both prices, --audio-hour and --summary, or none.")
        return 2
    prices = None
    if wanted.audio_hour is not None and wanted.summary is not None:
        prices = Prices(wanted.audio_hour, wanted.summary)
    found = await costs(desk.operator, wanted.since, prices)
    desk.show(found, _of_costs(found))
    return 0


async def consult_doctor(desk: Desk, wanted: argparse.Namespace) -> int:
    """Look at everything; the exit code is 1 when something is wrong."""
    found: Diagnosis = await diagnose(desk.operator, lambda: desk.configuration)
    table = table_of("what", "", "")
    for each in found.findings:
        table.add_row(each.subject, _LEVELS[each.level], each.sentence)
    desk.show(found, table)
    return 0 if found.ok else 1


async def show_log(desk: Desk, wanted: argparse.Namespace) -> int:
    """The newest entries first."""
    asked_for = AuditFilter(wanted.by, wanted.of)
    found = await desk.operator.parts.operators.audit(asked_for, wanted.limit)
    desk.show({"entries": found}, of_entries(found))
    return 0


def _rates(found: Statistics) -> Table:
    table = table_of("completed", "failed", "cancelled", "at work", "success rate", "retry rate")
    figures = map(str, (found.completed, found.failed, found.cancelled, found.running))
    table.add_row(*figures, _percent(found.success_rate), _percent(found.retry_rate))
    table.title = f"{found.since:%Y-%m-%d %H:%M} to {found.until:%Y-%m-%d %H:%M} UTC"
    return table


def _times(found: Statistics) -> Table:
    table = table_of("stage", "runs", "median", "95 % within")
    for stage in found.stages:
        table.add_row(
            stage.stage, str(stage.runs), lasting(stage.median_seconds), lasting(stage.slow_seconds)
        )
    table.caption = f"of the newest {found.sampled} visits that ended"
    return table


def _codes(found: Statistics, failed: Failures) -> Table:
    table = table_of("why visits failed", "visits", "dead letters")
    visits = {each.code: each.count for each in found.top_codes}
    for code in sorted({*visits, *failed.by_code}, key=lambda each: (-visits.get(each, 0), each)):
        table.add_row(code, str(visits.get(code, 0)), str(failed.by_code.get(code, 0)))
    return table


def _failures(failed: Failures) -> Table:
    table = table_of("dead letters", str(failed.total))
    if not failed.total:
        return table
    table.add_row("open", f"{failed.open} ({failed.discarded} discarded)")
    table.add_row("by stage", _named(failed.by_stage))
    table.add_row("by class", _named(failed.by_class))
    table.add_row("by day", _named(failed.by_day))
    table.add_row("by hour (UTC)", _named(failed.by_hour))
    table.add_row("by user, hashed", ", ".join(f"{each.who} {each.count}" for each in failed.users))
    return table


def _named(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def _percent(rate: float | None) -> str:
    return "-" if rate is None else f"{rate:.1%}"


def _of_costs(found: Costs) -> Table:
    table = table_of("", "transcription", "summary")
    table.add_row("used", f"{found.audio_hours:.2f} h, {found.orders} orders", f"{found.summaries}")
    table.add_row("of it again", f"{found.audio_hours_again:.2f} h", f"{found.summaries_again}")
    if found.spent and found.spent_again:
        table.add_row("spent", f"{found.spent.transcription:.2f}", f"{found.spent.summary:.2f}")
        again = found.spent_again
        table.add_row("of it again", f"{again.transcription:.2f}", f"{again.summary:.2f}")
    saved = f"{found.saved_audio_hours:.2f} h were not ordered again: the transcript was kept"
    money = f" (saved {found.saved:.2f})" if found.saved is not None else ""
    each = f"; a visit cost {found.spent_a_visit:.4f}" if found.spent_a_visit is not None else ""
    table.caption = f"{found.visits} visits since {found.since:%Y-%m-%d}{each}; {saved}{money}"
    return table
