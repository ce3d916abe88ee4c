"""Builds tables of visits, dead letters and audit entries for people."""

from collections.abc import Sequence
from datetime import datetime

from rich.markup import escape

from infra.ops.listing import Listing
from lumimd.domain.dead_letter import DeadLetter
from lumimd.domain.plurals import times
from lumimd.domain.visit import ProcessingStatus, Status, VisitLine
from lumimd.operations.bulk_retry import BulkSummary
from lumimd.stores.operator_store import AuditEntry, is_stuck

COLOURS = {
    Status.COMPLETED: "green",
    Status.PARTIAL: "yellow",
    Status.FAILED: "red",
    Status.PROCESSING: "cyan",
}


def of_visits(visits: Sequence[VisitLine], now: datetime) -> Listing:
    """Build a table with one row per visit: status, current step and last error."""
    table = Listing("visit", "user", "status", "doing", "changed", "attempt", "trouble")
    for visit in visits:
        colour = COLOURS.get(visit.status, "white")
        table.add_row(
            escape(visit.visit_id),
            escape(visit.user_id),
            f"[{colour}]{visit.status}[/]",
            _doing(visit, now),
            ago(visit.updated_at, now),
            str(visit.attempt),
            _trouble(visit),
        )
    if not visits:
        table.caption = "none"
    return table


def of_letters(letters: Sequence[DeadLetter], now: datetime) -> Listing:
    """Build a table with one row per dead letter: visit, stage, code and age."""
    table = Listing("visit", "user", "stage", "code", "attempt", "failed")
    for letter in letters:
        table.add_row(
            escape(letter.visit_id),
            escape(letter.user_id),
            letter.stage,
            letter.code,
            str(letter.attempt),
            ago(letter.last_seen_at, now),
        )
    if not letters:
        table.caption = "none"
    return table


def of_discarded(letters: Sequence[DeadLetter]) -> Listing:
    """Build a table with one row per discarded dead letter: the operator and the reason."""
    table = Listing("visit", "user", "code", "discarded by", "because")
    for letter in letters:
        table.add_row(
            escape(letter.visit_id),
            escape(letter.user_id),
            letter.code,
            escape(letter.discarded_by or ""),
            escape(letter.discard_reason or ""),
        )
    if not letters:
        table.caption = "none"
    return table


def of_bulk(summary: BulkSummary) -> Listing:
    """Build a table of the figures of a bulk retry."""
    table = Listing("visits chosen", "retried", "refused", "failed", "left", "took", "why not")
    why = ", ".join(f"{code}: {count}" for code, count in summary.codes.items())
    table.add_row(
        str(summary.chosen),
        f"[green]{summary.retried}[/]",
        str(summary.refused),
        f"[red]{summary.failed}[/]" if summary.failed else "0",
        str(summary.left),
        lasting(summary.took_seconds),
        why,
    )
    return table


def of_entries(entries: Sequence[AuditEntry]) -> Listing:
    """Build a table with one row per entry of the audit log."""
    table = Listing("when (UTC)", "account", "did", "to", "outcome and change")
    for entry in entries:
        code = f" ({entry.code})" if entry.code else ""
        change = _change(entry.before or {}, entry.after or {})
        result = [f"{entry.outcome}{code}", *([change] if change else [])]
        reason = f" because {entry.reason}" if entry.reason else ""
        table.add_row(
            f"{entry.at:%m-%d %H:%M:%S}",
            escape(entry.actor),
            entry.action.replace("_", " "),
            escape(entry.target),
            escape(": ".join(result) + reason),
        )
    return table


def limited(count: int) -> str:
    """Return the hint that the list was limited to `count` rows."""
    first = "This is the first one" if count == 1 else f"These are the first {count}"
    return f"{first}; --limit N shows more."


def ago(instant: datetime, now: datetime) -> str:
    """Format an instant relative to `now`, such as `3 min ago`."""
    return f"{lasting(max(0.0, (now - instant).total_seconds()))} ago"


def lasting(seconds: float) -> str:
    """Format a duration in its two largest units."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes, rest_s = divmod(round(seconds), 60)
    hours, minutes_left = divmod(minutes, 60)
    days, hours_left = divmod(hours, 24)
    if days:
        return f"{days} d {hours_left} h"
    return f"{hours} h {minutes_left:02} min" if hours else f"{minutes} min {rest_s:02} s"


def _doing(visit: VisitLine, now: datetime) -> str:
    if visit.processing_status.is_terminal:
        return "-"
    step = visit.current_step.replace("_", " ")
    return f"[bold red]{step}, stuck[/]" if is_stuck(visit, now) else step


def _trouble(visit: VisitLine) -> str:
    if visit.processing_status is ProcessingStatus.FAILED and visit.processing_error:
        return visit.processing_error.code
    if visit.trouble:
        return f"{visit.trouble.last_code}, {times(visit.trouble.times)}"
    return ""


def _change(before: dict[str, object], after: dict[str, object]) -> str:
    """Format only the fields that changed, such as `status failed -> processing`."""
    changed = [
        f"{name} {_plain(before.get(name))} -> {_plain(value)}"
        for name, value in sorted(after.items())
        if name in before and before[name] != value
    ]
    added = [
        f"{name} {value}" for name, value in sorted(after.items()) if name not in before and value
    ]
    return ", ".join(changed + added)


def _plain(value: object) -> object:
    return "none" if value is None else value
