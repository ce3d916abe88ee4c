"""Durations that the daily reconciliation uses."""

from datetime import timedelta
from typing import Final

RECORDINGS_WINDOW: Final = timedelta(hours=48)
"""The age of the oldest recording that a daily run compares: twice the time between two runs."""

SETTLED: Final = timedelta(hours=1)
"""The least age of compared recordings and jobs, since younger recordings may be in progress."""

KEPT_FOR_RETRY: Final = timedelta(days=1)
"""How long the job of a failed visit is kept, so that a retry adopts the job and does not pay
twice."""

JOBS_WINDOW: Final = timedelta(hours=96)
"""The age of the oldest job that is read from the provider's list. A visit waits for its job, and
for a second job, for up to a day and a half; then the job may be kept for a retry; and one nightly
run may fail."""
