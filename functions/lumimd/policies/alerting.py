"""Durations after which operators are alerted or a visit counts as stuck."""

from datetime import timedelta
from typing import Final

METRIC_OVERDUE_AFTER: Final = timedelta(minutes=15)
"""The age from which the metric of overdue visits counts a visit. A recording of an hour usually
takes a few minutes."""

STUCK_AFTER: Final = timedelta(minutes=5)
"""The delay from which a due visit counts as stuck, since the scheduler usually handles a due visit
within a minute."""

QUIET_AFTER: Final = timedelta(minutes=15)
"""The time without a change from which a visit counts as stuck, since retries wait at most ten
minutes."""

UNATTENDED_AFTER: Final = timedelta(hours=1)
"""The age from which a dead letter counts as unattended by operators."""

STATISTICS_OF: Final = timedelta(days=1)
"""The default period of the statistics for operators."""
