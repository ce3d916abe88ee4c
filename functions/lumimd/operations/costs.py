"""The cost of visits: the billed units, and their cost at given prices.

The costs of retries are listed separately, and so are their savings: a retry that keeps the
transcript orders no other paid job.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from lumimd.domain.document import Document
from lumimd.domain.visit import VisitLine
from lumimd.operations.operator import Operator
from lumimd.operations.statistics import MOST, changed_since

SECONDS_PER_HOUR: Final = 3600


@dataclass(frozen=True)
class Prices:
    """The prices of an hour of recording and of one summary, in one currency.

    There is no default, because prices are part of a contract and change.
    """

    audio_hour: float
    summary: float


class StageCost(Document):
    """The cost of the visits, by stage."""

    transcription: float
    summary: float

    @property
    def total(self) -> float:
        """The cost of both stages."""
        return self.transcription + self.summary


class Costs(Document):
    """The usage of the visits that changed in a window, over all their attempts.

    Fields with `again` count the usage beyond the first transcript and summary of a visit.
    `saved_audio_hours` is the recording time that retries did not order, since the transcript was
    kept. The sums of money are None without prices.
    """

    since: datetime
    visits: int
    audio_hours: float
    orders: int
    summaries: int
    audio_hours_again: float
    summaries_again: int
    saved_audio_hours: float
    spent: StageCost | None
    spent_again: StageCost | None
    saved: float | None
    spent_a_visit: float | None
    is_complete: bool


async def costs(operator: Operator, window: timedelta, prices: Prices | None = None) -> Costs:
    """Return the usage of the visits that changed in the last `window`, and its cost."""
    since = operator.services.clock.now() - window
    visits = await changed_since(operator, since)
    return costs_of(visits, since, prices)


def costs_of(visits: Sequence[VisitLine], since: datetime, prices: Prices | None) -> Costs:
    """Return the sums over `visits`."""
    paid = [visit for visit in visits if visit.ledger.orders or visit.ledger.summaries]
    hours = sum(visit.ledger.audio_seconds for visit in paid) / SECONDS_PER_HOUR
    hours_again = sum(map(_seconds_again, paid)) / SECONDS_PER_HOUR
    saved_hours = sum(map(_seconds_saved, paid)) / SECONDS_PER_HOUR
    summaries = sum(visit.ledger.summaries for visit in paid)
    summaries_again = sum(max(0, visit.ledger.summaries - 1) for visit in paid)
    spent = again = None
    if prices is not None:
        spent = StageCost(
            transcription=hours * prices.audio_hour, summary=summaries * prices.summary
        )
        again = StageCost(
            transcription=hours_again * prices.audio_hour, summary=summaries_again * prices.summary
        )
    return Costs(
        since=since,
        visits=len(paid),
        audio_hours=hours,
        orders=sum(visit.ledger.orders for visit in paid),
        summaries=summaries,
        audio_hours_again=hours_again,
        summaries_again=summaries_again,
        saved_audio_hours=saved_hours,
        spent=spent,
        spent_again=again,
        saved=saved_hours * prices.audio_hour if prices else None,
        spent_a_visit=spent.total / len(paid) if spent and paid else None,
        is_complete=len(visits) < MOST,
    )


def _seconds_again(visit: VisitLine) -> float:
    once = visit.audio.duration_seconds if visit.audio else None
    return max(0.0, visit.ledger.audio_seconds - once) if once is not None else 0.0


def _seconds_saved(visit: VisitLine) -> float:
    """Return the seconds of recording that retries did not order again.

    Each retry without another paid job kept the transcript.
    """
    kept = max(0, visit.retry_count - max(0, visit.ledger.orders - 1))
    once = visit.audio.duration_seconds if visit.audio else None
    has_transcript = visit.transcription is not None and visit.transcription.completed_at
    return kept * once if once is not None and has_transcript else 0.0
