"""Guards for the model's answers: their number, their statements, and the fallback to rules."""

from collections.abc import Mapping
from typing import Any, Final

from lumimd.domain import events
from lumimd.domain.clinical import VisitSummary
from lumimd.domain.codes import ErrorCode
from lumimd.domain.commit import Stored
from lumimd.domain.events import summary
from lumimd.domain.ledger import NOTHING, Settlement
from lumimd.domain.transcript import Transcript
from lumimd.domain.visit import Visit
from lumimd.pipeline import summarize, without_model
from lumimd.pipeline.analysis import visit_summary
from lumimd.pipeline.analysis.evidence import Supported
from lumimd.pipeline.lease import still_held
from lumimd.pipeline.save import Decision
from lumimd.pipeline.services import Services
from tests.simulation.guard import Guard, put


async def _end_as_partial(
    services: Services, leased: Stored, code: ErrorCode, paid: Settlement = NOTHING
) -> Decision:
    failed = events.SummaryFailed(leased.visit.attempt, code, paid=paid)
    return Decision(failed, still_wanted=still_held(leased))


def _keep_all_statements(answer: VisitSummary, transcript: Transcript) -> Supported:
    return Supported(answer, 0)


def _still_provisional(self: summary.SummaryStored, visit: Visit, now: Any) -> dict[str, Any]:
    return {**_stored(self, visit, now), "provisional": self.source == "rules"}


_stored = summary.SummaryStored.changes

ANSWERS: Final[Mapping[str, Guard]] = {
    "bad-answers-are-asked-for-again-once": Guard(
        "the number of paid answers under one lease is bounded",
        put((visit_summary, "ASKS", 3)),
    ),
    "rules-write-what-the-model-cannot": Guard(
        "a transcribed visit is partial only if the rules find nothing",
        put(
            (summarize, "end_without_model", _end_as_partial),
            (without_model, "end_without_model", _end_as_partial),
        ),
    ),
    "bad-statements-are-left-out": Guard(
        "a statement that cites an utterance that does not exist is not shown",
        put((visit_summary, "supported", _keep_all_statements)),
    ),
    "rules-write-for-good": Guard(
        "a final summary by the rules is not marked as provisional",
        put((summary.SummaryStored, "changes", _still_provisional)),
    ),
}
