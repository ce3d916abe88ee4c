"""Times of reconciliation."""

from datetime import timedelta
from typing import Final

RECORDINGS_WINDOW: Final = timedelta(hours=48)
"""Age of the oldest recording that a daily run compares: twice the time between two runs."""

SETTLED: Final = timedelta(hours=1)
"""Younger recordings and jobs may be in process."""

KEPT_FOR_RETRY: Final = timedelta(days=1)
"""Time for which the job of a failed visit stays: a retry adopts it, and it is not paid twice."""

JOBS_WINDOW: Final = timedelta(hours=96)
"""Age of the oldest job that is read from the provider's list. A visit waits for its job, and
orders another, for up to a day and a half; then the job may stay for a retry; and one nightly run
may fail."""
