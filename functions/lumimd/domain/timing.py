"""Tries and durations that the transition table itself applies.

Every other duration is in `policies/`.
"""

from datetime import timedelta
from typing import Final

LONG: Final = timedelta(minutes=30)
"""A visit in processing for this time takes longer than its owner expects."""

POLL_EVERY: Final = timedelta(seconds=45)
"""Less than the scheduler's minute, so that each tick polls each running job."""

MAX_TRIES: Final = 3
"""Tries of a stage before the visit fails (S1: three)."""

REQUEST_GRACE: Final = timedelta(minutes=2)
"""The time for a created task to start, before it counts as lost."""

LONGEST_GRACE: Final = timedelta(hours=1)
"""A backlog of summaries may take hours, and a task that waits in the queue is not lost."""


def request_grace(unanswered: int) -> timedelta:
    """The time for the next task to start, after `unanswered` tasks that counted as lost."""
    doubled: timedelta = REQUEST_GRACE * 2 ** min(unanswered, 5)
    return min(doubled, LONGEST_GRACE)
