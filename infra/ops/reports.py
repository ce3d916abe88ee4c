"""The commands that report on all visits: statistics, costs, `doctor`, and the audit log."""

import argparse
from collections.abc import Iterator

from rich.console import RenderableType
from rich.markup import escape

from infra.ops.listing import Listing
from infra.ops.session import Session
from infra.ops.tables import lasting, of_entries
from lumimd.domain.plurals import counted, does
from lumimd.operations.costs import Costs, Prices, costs
from lumimd.operations.doctor import Diagnosis, Level, diagnose
from lumimd.operations.failures import Failures, failures
from lumimd.operations.statistics import Statistics, statistics
from lumimd.stores.operator_store import AuditFilter

_LEVELS = {
    Level.OK: "[green]ok[/]",
    Level.WARNING: "[yellow]check[/]",
    Level.PROBLEM: "[red]wrong[/]",
}


async def show_statistics(session: Session, args: argparse.Namespace) -> None:
    """Show success rates, processing times, and the dead letters."""
    now = session.operator.services.clock.now()
    found = await statistics(session.operator, args.since)
    failed = await failures(session.operator, now - args.since)
    session.show(
        {"statistics": found, "failures": failed},
        _rates(found),
        _times(found),
        _codes(found, failed),
        _failures(failed),
    )
    if not (found.is_complete and failed.is_complete):
        session.notify("There are more visits than were counted.")


async def show_costs(session: Session, args: argparse.Namespace) -> int:
    """Show the usage by stage, and amounts of money if both prices are given."""
    if (args.audio_hour is None) != (args.summary is None):
        session.notify("Give both prices, --audio-hour and --summary, or none.")
        return 2
    prices = None
    if args.audio_hour is not None and args.summary is not None:
        prices = Prices(args.audio_hour, args.summary)
    found = await costs(session.operator, args.since, prices)
    session.show(found, *_of_costs(found))
    return 0


async def run_doctor(session: Session, args: argparse.Namespace) -> int:
    """Check the whole deployment; return exit code 1 if there is a problem."""
    found: Diagnosis = await diagnose(session.operator, lambda: session.configuration)
    table = Listing("subject", "state", "finding")
    for each in found.findings:
        table.add_row(each.subject, _LEVELS[each.level], escape(each.sentence))
    commands = [session.command(*each.command) for each in found.findings if each.command]
    more = ["To see more:", *(f"  {each}" for each in commands)] if commands else []
    session.show(found, table, *more)
    return 0 if found.ok else 1


async def show_log(session: Session, args: argparse.Namespace) -> None:
    """Show the audit log, newest entries first."""
    entries = AuditFilter(args.by, args.of)
    found = await session.operator.services.operators.audit(entries, args.limit)
    session.show({"entries": found}, of_entries(found))


def _rates(found: Statistics) -> Listing:
    table = Listing("completed", "failed", "cancelled", "at work", "success rate", "retry rate")
    figures = map(str, (found.completed, found.failed, found.cancelled, found.running))
    table.add_row(*figures, _percent(found.success_rate), _percent(found.retry_rate))
    table.title = f"{found.since:%Y-%m-%d %H:%M} to {found.until:%Y-%m-%d %H:%M} UTC"
    return table


def _times(found: Statistics) -> Listing:
    table = Listing("stage", "runs", "median", "95 % within")
    for stage in found.stages:
        table.add_row(
            stage.stage, str(stage.runs), lasting(stage.median_seconds), lasting(stage.slow_seconds)
        )
    visits = does(found.sampled, "visit that has", f"{found.sampled} visits that have")
    table.caption = f"Of the newest {visits} ended."
    return table


def _codes(found: Statistics, failed: Failures) -> Listing:
    table = Listing("error code", "visits", "dead letters")
    visits = {each.code: each.count for each in found.top_codes}
    for code in sorted({*visits, *failed.by_code}, key=lambda each: (-visits.get(each, 0), each)):
        table.add_row(code, str(visits.get(code, 0)), str(failed.by_code.get(code, 0)))
    return table


def _failures(failed: Failures) -> Listing:
    table = Listing("dead letters", "count")
    table.add_row("all", str(failed.total))
    if not failed.total:
        return table
    table.add_row("open", str(failed.open))
    table.add_row("discarded", str(failed.discarded))
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


def _of_costs(found: Costs) -> Iterator[RenderableType]:
    again = "repeated (retries, regenerations)"
    used = Listing("used", "audio (h)", "transcripts ordered", "summaries")
    used.add_row("all", f"{found.audio_hours:.2f}", str(found.orders), str(found.summaries))
    used.add_row(again, f"{found.audio_hours_again:.2f}", "-", str(found.summaries_again))
    yield used
    if found.spent and found.spent_again:
        spent = Listing("spent, in the currency of the prices", "transcription", "summaries")
        for name, cost in (("all", found.spent), (again, found.spent_again)):
            spent.add_row(name, f"{cost.transcription:.2f}", f"{cost.summary:.2f}")
        yield spent
    each = f"; {found.spent_a_visit:.4f} a visit" if found.spent_a_visit is not None else ""
    yield f"{counted(found.visits, 'visit')} since {found.since:%Y-%m-%d}{each}."
    money = f" That saved {found.saved:.2f}." if found.saved is not None else ""
    yield (
        f"Saved: {found.saved_audio_hours:.2f} h of audio were not transcribed twice, "
        f"because the transcript was kept.{money}"
    )
