"""The limits of tries and durations that the transition table applies.

All other durations are in `policies/`.
"""

from datetime import timedelta
from typing import Final

LONG: Final = timedelta(minutes=30)
"""The time in processing after which a visit takes longer than its owner expects."""

POLL_EVERY: Final = timedelta(seconds=45)
"""The pause between polls of a job: less than a minute, so that each tick polls each running
job."""

MAX_TRIES: Final = 3
"""The number of tries of a stage before the visit fails (requirement S1: three)."""

REQUEST_GRACE: Final = timedelta(minutes=2)
"""The time that a new task has to start before it counts as lost."""

LONGEST_GRACE: Final = timedelta(hours=1)
"""The longest time that a new task has to start, because a backlog of summaries may take hours."""


def request_grace(unanswered: int) -> timedelta:
    """Return the time that the next task has to start, after `unanswered` tasks counted as lost."""
    doubled: timedelta = REQUEST_GRACE * 2 ** min(unanswered, 5)
    return min(doubled, LONGEST_GRACE)
