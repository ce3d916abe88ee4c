"""Count visits and dead letters in the store once a minute, since no log line has the numbers.

| line                   | fields                   | meaning                                      |
|------------------------|--------------------------|----------------------------------------------|
| `visits_counted`       | processingStatus, count  | unfinished visits; one line per status       |
| `dead_letters_counted` | count                    | open dead letters that are an hour old       |

A count costs one read for up to a thousand documents.
"""

from datetime import datetime
from typing import Final

from lumimd.domain.visit import ProcessingStatus
from lumimd.policies.alerting import UNATTENDED_AFTER
from lumimd.stores.visit_counts import VisitCounts
from lumimd.telemetry import logs

UNFINISHED: Final = (
    ProcessingStatus.PENDING,
    ProcessingStatus.TRANSCRIBING,
    ProcessingStatus.SUMMARIZING,
)


async def count_visits(visit_counts: VisitCounts, now: datetime) -> None:
    """Count the visits and dead letters, and log the numbers.

    Raises:
        Transient: the store is not available.
    """
    for status in UNFINISHED:
        count = await visit_counts.visits(status)
        logs.event("visits_counted", processingStatus=status, count=count)
    waiting = await visit_counts.open_dead_letters(now - UNATTENDED_AFTER)
    logs.event("dead_letters_counted", count=waiting)
