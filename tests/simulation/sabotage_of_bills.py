"""Guards for the ledger, and for the provider's copies."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from lumimd.domain import ledger
from lumimd.domain.commit import Stored
from lumimd.domain.events import event
from lumimd.domain.ledger import Settlement
from lumimd.domain.visit import Ledger, LedgerJob, ProcessingStatus, Visit
from lumimd.pipeline import reconcile
from lumimd.pipeline.services import Services
from tests.simulation.guard import Guard, put

_settled, _may_be_looked_for = ledger.settled, reconcile._may_be_looked_for


def _without_answers(visit: Visit, outcome: Settlement) -> Ledger:
    return _settled(visit, Settlement(0, outcome.unheard, outcome.reserved))


def _without_the_unheard(visit: Visit, outcome: Settlement) -> Ledger:
    return _settled(visit, Settlement(outcome.answers, 0, outcome.reserved))


def _charged_each_time(visit: Visit, transcript_id: str, seconds: float) -> Ledger:
    before = visit.ledger
    entry = LedgerJob(transcript_id=transcript_id, seconds=seconds)
    return before.model_copy(
        update={
            "orders": before.orders + 1,
            "audio_seconds": before.audio_seconds + seconds,
            "jobs": (*before.jobs, entry),
        }
    )


async def _settled_uncharged(services: Services, stored: Stored, transcript_id: str) -> bool:
    return not _may_be_looked_for(stored.visit, services.clock.now())


def _failed_for_ever(visit: Visit, now: datetime) -> bool:
    failed = visit.processing_status is ProcessingStatus.FAILED
    return failed or _may_be_looked_for(visit, now)


BILLS: Final[Mapping[str, Guard]] = {
    "every-answer-is-on-the-ledger": Guard(
        "good and bad answers are both billed",
        put((ledger, "settled", _without_answers)),
    ),
    "calls-of-a-lease-are-reserved": Guard(
        "an answer is billed even if its worker crashed",
        put((ledger, "reserved", lambda visit, calls: visit.ledger)),
    ),
    "unheard-answers-stay-unsettled": Guard(
        "an answer is billed even if it was lost on its way",
        put((ledger, "settled", _without_the_unheard)),
    ),
    "silence-is-on-the-ledger": Guard(
        "the transcription of a recording without speech is billed",
        put((event.Charge, "changes", lambda self, visit: {})),
        level="fruitless",
    ),
    "jobs-are-charged-once": Guard(
        "a job that was noted at its order is not noted again at its end",
        put((ledger, "charged", _charged_each_time)),
    ),
    "jobs-are-charged-before-they-go": Guard(
        "the cost of an abandoned job is noted before its copy is deleted",
        put((reconcile, "_is_settled", _settled_uncharged)),
    ),
    "copies-of-failed-visits-go": Guard(
        "the provider keeps no transcript of a finished visit, failed ones included",
        put((reconcile, "_may_be_looked_for", _failed_for_ever)),
        level="fruitless",
    ),
}
