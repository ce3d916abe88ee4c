"""Events of the summary stage: the summary is requested, made, deferred or given up."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from lumimd.domain import ledger
from lumimd.domain.clinical import Source, VisitSummary
from lumimd.domain.events.event import Changes, Event, leased, paused_until
from lumimd.domain.events.submission import AudioRejected, SubmissionDeferred, SubmissionHeld
from lumimd.domain.ledger import NOTHING, Settlement
from lumimd.domain.progress import Step
from lumimd.domain.timing import request_grace
from lumimd.domain.visit import Lease, Stage, Visit

RETIRED_KNOWN: Final = 200
"""The number of ids of retired action items that a visit remembers: about ten summaries."""


@dataclass(frozen=True)
class SummaryRequested(Event):
    """The summary task seems lost, so another task is created.

    Each task that no worker takes up doubles the time until the next task. So a queue with a
    backlog of hours gets a few tasks per visit instead of a task every two minutes.
    """

    def changes(self, visit: Visit, now: datetime) -> Changes:
        unanswered = visit.unanswered_requests + 1
        return {
            "requests": visit.requests + 1,
            "unanswered_requests": unanswered,
            "lease": None,
            "wake_at": now + request_grace(unanswered),
        }


@dataclass(frozen=True)
class SummaryClaimed(Event):
    """A worker leases the summary and is about to pay for it."""

    step = Step.SUMMARIZING
    lease: Lease

    def changes(self, visit: Visit, now: datetime) -> Changes:
        return {
            **leased(visit, self.lease),
            "unanswered_requests": 0,
            "ledger": ledger.reserved(visit, self.lease.reserved),
        }


@dataclass(frozen=True)
class SummaryDeferred(SubmissionDeferred):
    """The try of the summary failed; the next try is at `until`.

    In this and the following events, `paid` counts the charged and possibly charged model calls.
    """

    paid: Settlement = NOTHING

    def changes(self, visit: Visit, now: datetime) -> Changes:
        return {**super().changes(visit, now), "ledger": ledger.settled(visit, self.paid)}


@dataclass(frozen=True)
class SummaryHeld(SubmissionHeld):
    """The model is known to be down: the visit waits and uses up no try."""

    paid: Settlement = NOTHING

    def changes(self, visit: Visit, now: datetime) -> Changes:
        return {**super().changes(visit, now), "ledger": ledger.settled(visit, self.paid)}


@dataclass(frozen=True)
class ProvisionalSummaryStored(Event):
    """The model is unavailable: a rule-based summary is shown, and the next try is at `until`."""

    step = Step.PROVISIONAL
    until: datetime
    source: Source
    summary: VisitSummary
    used_a_try: bool
    paid: Settlement = NOTHING
    for_fault: bool = False

    @property
    def detail(self) -> str:
        return self.source

    def changes(self, visit: Visit, now: datetime) -> Changes:
        return {
            **_results(self.source, self.summary),
            "provisional": True,
            "lease": paused_until(self.until),
            "stage_tries": visit.stage_tries - (0 if self.used_a_try else 1),
            "held_since": visit.held_since if self.used_a_try else visit.held_since or now,
            "fault_at": now if self.for_fault else visit.fault_at,
            "wake_at": self.until,
            "ledger": ledger.settled(visit, self.paid),
        }


@dataclass(frozen=True)
class SummaryStored(Event):
    """The summary and the action items are committed together with this event.

    A rule-based summary is as final as a summary by the model; the owner may request another
    summary. `pipeline/save.py` fills in `action_ids`, and the `retired` ids of earlier action
    items.
    """

    step = Step.COMPLETED
    source: Source
    summary: VisitSummary
    action_ids: tuple[str, ...] = ()
    retired: tuple[str, ...] = ()
    paid: Settlement = NOTHING

    @property
    def detail(self) -> str:
        return self.source

    def changes(self, visit: Visit, now: datetime) -> Changes:
        return {
            **_results(self.source, self.summary),
            "provisional": False,
            "action_ids": self.action_ids,
            # Items under legal hold stay beside the new items; a final summary follows the release.
            "summary_owed": visit.legal_hold and bool(visit.action_ids),
            "retired_action_ids": (*visit.retired_action_ids, *self.retired)[-RETIRED_KNOWN:],
            "kept": None,
            "ledger": ledger.settled(visit, self.paid),
        }


@dataclass(frozen=True)
class SummaryFailed(AudioRejected):
    """Neither the model nor the rules made a summary; the transcript stays."""

    stage = Stage.SUMMARY
    paid: Settlement = NOTHING

    def changes(self, visit: Visit, now: datetime) -> Changes:
        return {**super().changes(visit, now), "ledger": ledger.settled(visit, self.paid)}


def _results(source: Source, summary: VisitSummary) -> Changes:
    return {
        "source": source,
        "summary": " ".join(statement.text for statement in summary.summary),
        "summary_statements": tuple(summary.summary),
        "diagnoses": tuple(summary.diagnoses),
        "medications": summary.medications,
        "imaging": tuple(summary.imaging),
        "next_steps": tuple(summary.next_steps),
        "education": tuple(summary.education),
    }
