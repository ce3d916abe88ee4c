"""Judges by the evidence which promises a run kept for each visit. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from infra.local.chaos.evidence import Evidence, Heard, Job
from lumimd.domain.state_machine import TRANSITIONS
from lumimd.domain.transcript import joined
from lumimd.domain.visit import Action, HistoryEntry, ProcessingStatus, Status, Visit

LEGAL: Final = {
    (status, event.name): transition.to for (status, event), transition in TRANSITIONS.items()
}


class Promise(StrEnum):
    """The promises of the product for every visit, the most important first."""

    NOT_LOST = "no transcript is lost"
    PAID_ONCE = "nothing is paid for twice"
    NOT_STUCK = "no visit hangs"
    WAKES_UP = "a visit has a wakeAt exactly until its end"
    COMPLETED = "a good recording is completed"
    ITEMS_ONCE = "each action item is stored once"
    LEGAL_STEPS = "every step is in the transition table"
    NO_STRAYS = "every stored document belongs to an uploaded visit"


@dataclass(frozen=True)
class Breach:
    """A broken promise; `count` is the number of surplus charges, items or wrong steps."""

    visit_id: str
    promise: Promise
    detail: str
    count: int = 1


@dataclass(frozen=True)
class Verdict:
    """The number of a run's visits by status, and the broken promises."""

    visits: int
    by_status: Counter[Status]
    breaches: Sequence[Breach]

    def broken(self, promise: Promise) -> int:
        """Return how often `promise` was broken."""
        return sum(breach.count for breach in self.breaches if breach.promise is promise)


def judge(visit_ids: Iterable[str], seen: Evidence, now: datetime) -> Verdict:
    """Judge the uploaded visits. `now` is the time at which the evidence was read."""
    uploaded = frozenset(visit_ids)
    breaches: list[Breach] = []
    for visit_id in sorted(uploaded):
        visit = seen.visits.get(visit_id)
        jobs = seen.jobs.get(visit_id, ())
        breaches += _charges(visit_id, jobs)
        if visit is None:
            breaches.append(Breach(visit_id, Promise.NOT_STUCK, "it has no document"))
            continue
        breaches += _end(visit, now)
        heard = tuple(
            Heard(each.speaker, each.start_ms, each.end_ms, each.text, each.confidence)
            for each in joined(seen.pages.get(visit_id, ()))
        )
        breaches += _transcript(visit, jobs, heard)
        breaches += _actions(visit, seen.actions.get(visit_id, ()))
        breaches += _steps(visit, seen.history.get(visit_id, ()))
    stored = {*seen.visits, *seen.pages, *seen.history, *seen.actions, *seen.jobs}
    strays = (Breach(each, Promise.NO_STRAYS, "no upload has its id") for each in stored - uploaded)
    by_status = Counter(visit.status for visit in seen.visits.values())
    return Verdict(len(uploaded), by_status, [*breaches, *strays])


def _charges(visit_id: str, jobs: Sequence[Job]) -> Iterator[Breach]:
    charged = [job.job_id for job in jobs if job.charged]
    if len(charged) > 1:
        detail = f"{len(charged)} jobs are on the bill: {', '.join(charged)}"
        yield Breach(visit_id, Promise.PAID_ONCE, detail, len(charged) - 1)


def _end(visit: Visit, now: datetime) -> Iterator[Breach]:
    if not visit.processing_status.is_terminal:
        due = f"due {(visit.wake_at - now).total_seconds():+.0f} s" if visit.wake_at else "not due"
        yield Breach(
            visit.visit_id, Promise.NOT_STUCK, f"it is still {visit.processing_status}, {due}"
        )
    elif visit.status is not Status.COMPLETED:
        code = visit.processing_error.code if visit.processing_error else "no code"
        yield Breach(visit.visit_id, Promise.COMPLETED, f"it ended {visit.status}: {code}")
    if visit.processing_status.is_terminal != (visit.wake_at is None):
        detail = f"it is {visit.processing_status} and wakeAt is {visit.wake_at}"
        yield Breach(visit.visit_id, Promise.WAKES_UP, detail)


def _transcript(visit: Visit, jobs: Sequence[Job], heard: tuple[Heard, ...]) -> Iterator[Breach]:
    detail: str | None = None
    has_one = visit.transcription is not None and visit.transcription.completed_at is not None
    if has_one and visit.transcription:
        served = {job.job_id: job.heard for job in jobs}.get(visit.transcription.transcript_id)
        if served is None:
            detail = "its transcript comes from a job of another visit"
        elif heard != served:
            detail = f"{len(heard)} utterances are stored, not the {len(served)} that were served"
    elif visit.processing_status.is_terminal and any(job.charged for job in jobs):
        detail = f"it ended {visit.status} without the transcript that was paid for"
    if detail is not None:
        yield Breach(visit.visit_id, Promise.NOT_LOST, detail)


def _actions(visit: Visit, actions: Sequence[Action]) -> Iterator[Breach]:
    ids = {action.action_id for action in actions}
    named = set(visit.action_ids)
    said = {(action.text, action.due, action.evidence) for action in actions}
    extra = len(ids - named) + len(actions) - len(said)
    if extra:
        detail = f"{len(actions)} items are stored, and the visit names {len(named)}"
        yield Breach(visit.visit_id, Promise.ITEMS_ONCE, detail, extra)
    if missing := named - ids:
        yield Breach(visit.visit_id, Promise.ITEMS_ONCE, f"{len(missing)} items are missing")


def _steps(visit: Visit, history: Sequence[HistoryEntry]) -> Iterator[Breach]:
    """Check the steps of a visit's history.

    Positions have no gap, each step begins at the status where the step before ended, and each
    step is in the transition table. The history omits polls, which never change the status.
    """
    entries = sorted(history, key=lambda entry: entry.position)
    status = ProcessingStatus.PENDING
    wrong = []
    for position, entry in enumerate(entries):
        expected = (position, status, LEGAL.get((entry.from_status, entry.event)))
        if (entry.position, entry.from_status, entry.to_status) != expected:
            wrong.append(f"{entry.position} {entry.event}: {entry.from_status}->{entry.to_status}")
        status = entry.to_status
    if (len(entries), status) != (visit.history_length, visit.processing_status):
        wrong.append(f"{len(entries)} entries that end {status}")
    if wrong:
        yield Breach(visit.visit_id, Promise.LEGAL_STEPS, "; ".join(wrong), len(wrong))
