"""What is counted in the store once a minute, since no single log line can tell it.

| line                   | fields                   | says                                         |
|------------------------|--------------------------|----------------------------------------------|
| `visits_counted`       | processingStatus, count  | visits in hand; a line a status              |
| `dead_letters_counted` | count                    | open dead letters that are an hour old       |

Counting costs one read a number, however many documents there are (up to a thousand).
"""

from datetime import datetime, timedelta
from typing import Final

from lumimd.domain.visit import ProcessingStatus
from lumimd.ports.visit_counts import VisitCounts
from lumimd.telemetry import logs

UNATTENDED_AFTER: Final = timedelta(hours=1)
"""A visit that failed so long ago waits for a person who does not know of it."""

IN_HAND: Final = (
    ProcessingStatus.PENDING,
    ProcessingStatus.TRANSCRIBING,
    ProcessingStatus.SUMMARIZING,
)


async def count_visits(visit_counts: VisitCounts, now: datetime) -> None:
    """Count, and log the numbers.

    Raises:
        Transient: the store is not available.
    """
    for status in IN_HAND:
        count = await visit_counts.visits(status)
        logs.event("visits_counted", processingStatus=status, count=count)
    waiting = await visit_counts.open_dead_letters(now - UNATTENDED_AFTER)
    logs.event("dead_letters_counted", count=waiting)
