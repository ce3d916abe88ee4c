"""Prints a visit: the transcript with speakers, and the summary with times in the recording."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from infra.local.visit_documents import VisitDocuments
from lumimd.domain.clinical import Medication
from lumimd.domain.transcript import Utterance
from lumimd.domain.visit import Visit


def show(documents: VisitDocuments, console: Console) -> None:
    """Print the visit's transcript, summary, action items and history."""
    visit = documents.visit
    when = _Times(documents.transcript)
    console.rule(f"Visit {visit.visit_id}: {visit.status}")
    if visit.processing_error:
        console.print(f"[bold]{visit.processing_error.code}[/]: {visit.processing_error.message}")
    if documents.transcript:
        _heading(console, "Transcript")
        _transcript(documents.transcript, console)
    if visit.summary:
        _heading(console, f"Summary (source: {visit.source})")
        for statement in visit.summary_statements:
            console.print(f"  {escape(statement.text)} {when(statement.evidence)}")
        _listed(
            console, "Diagnoses", [(each.name, each.evidence) for each in visit.diagnoses], when
        )
        _medications(visit, console, when)
        for title, statements in (
            ("Imaging", visit.imaging),
            ("Next steps", visit.next_steps),
            ("Education", visit.education),
        ):
            _listed(console, title, [(each.text, each.evidence) for each in statements], when)
        actions = [
            (f"{each.text} ({each.due})" if each.due else each.text, each.evidence)
            for each in documents.actions
        ]
        _listed(console, "Action items", actions, when)
    _heading(console, "History")
    for entry in documents.history:
        detail = f" ({entry.detail})" if entry.detail else ""
        console.print(f"  {entry.at:%H:%M:%S}  {entry.event}{detail} -> {entry.to_status}")


class _Times:
    """Formats evidence (ids of utterances) as times in the recording."""

    def __init__(self, transcript: Sequence[Utterance]) -> None:
        self._start_ms = {utterance.id: utterance.start_ms for utterance in transcript}

    def __call__(self, evidence: Iterable[str]) -> str:
        times = ", ".join(clock(self._start_ms[each]) for each in evidence)
        return f"[dim]\\[{times}][/]"


def clock(milliseconds: int) -> str:
    """Format a time as 1:02:03 or 2:03."""
    minutes, seconds = divmod(milliseconds // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def _heading(console: Console, title: str) -> None:
    console.print(f"\n[bold]{title}[/]")


def _transcript(transcript: Iterable[Utterance], console: Console) -> None:
    table = Table.grid(padding=(0, 2))
    for each in transcript:
        colour = {"clinician": "cyan", "patient": "green"}.get(each.role, "white")
        table.add_row(
            clock(each.start_ms), f"[{colour}]{each.role} ({each.speaker})[/]", escape(each.text)
        )
    console.print(table)


def _listed(
    console: Console, title: str, items: Sequence[tuple[str, Iterable[str]]], when: _Times
) -> None:
    if items:
        _heading(console, title)
    for text, evidence in items:
        console.print(f"  - {escape(text)} {when(evidence)}")


def _medications(visit: Visit, console: Console, when: _Times) -> None:
    if visit.medications is None:
        return
    groups = {
        "Medications started": visit.medications.started,
        "Medications stopped": visit.medications.stopped,
        "Medications changed": visit.medications.changed,
    }
    for title, medications in groups.items():
        _listed(console, title, [(_named(each), each.evidence) for each in medications], when)


def _named(medication: Medication) -> str:
    return ", ".join(filter(None, (medication.name, medication.dose, medication.frequency)))
