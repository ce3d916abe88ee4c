"""Reports a run's outcome: as JSON for machines, and as tables for people."""

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from statistics import median
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from infra.local.chaos.run import Outcome
from infra.local.chaos.verdict import Promise
from lumimd.domain.visit import HistoryEntry, Status

SHOWN_VISITS: Final = 10
"""The most visits whose history is printed, since most breaches have the same cause."""


def to_json(outcome: Outcome) -> dict[str, Any]:
    """Return the outcome as JSON with public keys; times are in seconds."""
    verdict = outcome.verdict
    waits = sorted(_waits(outcome))
    return {
        "visits": verdict.visits,
        "completed": verdict.by_status[Status.COMPLETED],
        "partial": verdict.by_status[Status.PARTIAL],
        "failed": verdict.by_status[Status.FAILED],
        "stuck": verdict.broken(Promise.NOT_STUCK),
        "kills": sum(outcome.kills.values()),
        "killsByProcess": dict(sorted(outcome.kills.items())),
        "lostTranscripts": verdict.broken(Promise.NOT_LOST),
        "duplicateTranscriptionCharges": verdict.broken(Promise.PAID_ONCE),
        "duplicateActionItems": verdict.broken(Promise.ITEMS_ONCE),
        "illegalTransitions": verdict.broken(Promise.LEGAL_STEPS),
        "withoutWakeUp": verdict.broken(Promise.WAKES_UP),
        "faults": _faults(outcome),
        "recovered": _recovered(outcome),
        "medianSecondsToTerminal": round(median(waits), 1) if waits else None,
        "maxSecondsToTerminal": round(waits[-1], 1) if waits else None,
        "recoverySeconds": round(outcome.recovery_s, 1),
        "seconds": round(outcome.seconds, 1),
        "seed": outcome.settings.seed,
        "broken": [
            {"visit": each.visit_id, "promise": each.promise, "what": each.detail}
            for each in verdict.breaches
        ],
    }


def show(outcome: Outcome, console: Console) -> None:
    """Print the promises and the figures."""
    shown = to_json(outcome)
    promises = Table("promise", "broken")
    for promise in Promise:
        promises.add_row(promise, str(outcome.verdict.broken(promise)))
    console.print(promises)
    figures = Table("figure", "value")
    for name, value in shown.items():
        if name == "broken":
            continue
        if isinstance(value, dict):
            value = ", ".join(f"{key} {count}" for key, count in value.items())
        figures.add_row(name, str(value))
    console.print(figures)


def show_broken(outcome: Outcome, console: Console) -> None:
    """Print each breach, and the history of its visit."""
    breaches = outcome.verdict.breaches
    visits = list(dict.fromkeys(breach.visit_id for breach in breaches))
    for visit_id in visits[:SHOWN_VISITS]:
        console.print(f"{visit_id}:", markup=False)
        for breach in breaches:
            if breach.visit_id == visit_id:
                console.print(f"  BROKEN: {breach.promise}: {breach.detail}", markup=False)
        for entry in _history(outcome, visit_id):
            detail = f" ({entry.detail})" if entry.detail else ""
            step = f"{entry.event}{detail} -> {entry.to_status}, attempt {entry.attempt}"
            console.print(f"  {entry.at:%H:%M:%S.%f}  {step}", markup=False)
    if len(visits) > SHOWN_VISITS:
        console.print(f"and {len(visits) - SHOWN_VISITS} visits more")


def _waits(outcome: Outcome) -> Iterator[float]:
    """Yield the seconds from the upload to the end of each visit that has ended."""
    for visit_id, visit in outcome.evidence.visits.items():
        uploaded_at = outcome.uploaded_at.get(visit_id)
        if uploaded_at and visit.timings and visit.timings.processing_completed_at:
            yield (visit.timings.processing_completed_at - uploaded_at).total_seconds()


def _faults(outcome: Outcome) -> dict[str, int]:
    """Count the scripted faults of the speech server, by kind."""
    scripts = [recording.script for recording in outcome.recordings]
    faults = [fault for script in scripts for fault in script.http]
    return {
        "lostWebhooks": sum(not script.webhook for script in scripts),
        "repeatedWebhooks": sum(script.webhook_copies > 1 for script in scripts),
        "lostAnswers": sum(fault.after_work for fault in faults),
        "refusedOrders": sum(f.route == "submit" and not f.after_work for f in faults),
        "refusedFetches": sum(f.times for f in faults if f.route == "get"),
    }


def _recovered(outcome: Outcome) -> dict[str, int]:
    """Count the visits with a repeated step, by cause; a run without such visits proves little.

    Two leases in a row mean that the first worker died. A deferral means that the provider
    answered 500.
    """
    again: Counter[str] = Counter(
        deadSubmitters=0, deferredOrders=0, lostTasks=0, deadSummarizers=0
    )
    for visit_id in outcome.evidence.visits:
        events = [entry.event for entry in _history(outcome, visit_id)]
        steps = set(pairwise(events))
        again["deadSubmitters"] += ("submission_claimed", "submission_claimed") in steps
        again["deferredOrders"] += "submission_deferred" in events
        again["lostTasks"] += ("transcript_stored", "summary_requested") in steps
        again["deadSummarizers"] += ("summary_claimed", "summary_requested") in steps
    return dict(again)


def _history(outcome: Outcome, visit_id: str) -> list[HistoryEntry]:
    entries = outcome.evidence.history.get(visit_id, ())
    return sorted(entries, key=lambda entry: entry.position)
