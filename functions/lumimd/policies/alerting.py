"""Times after which operators are told."""

from datetime import timedelta
from typing import Final

METRIC_OVERDUE_AFTER: Final = timedelta(minutes=15)
"""A recording of an hour usually takes a few minutes; a longer time deserves a look."""

STUCK_AFTER: Final = timedelta(minutes=5)
"""The scheduler handles a due visit within a minute, so five minutes are no accident."""

QUIET_AFTER: Final = timedelta(minutes=15)
"""No retry waits longer than ten minutes; a visit unchanged for fifteen is stuck."""

UNATTENDED_AFTER: Final = timedelta(hours=1)
"""A visit that failed this long ago waits for an operator who does not know of it."""

STATISTICS_OF: Final = timedelta(days=1)
"""The period of the statistics, unless an operator names another one."""
