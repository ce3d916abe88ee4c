"""Timeouts of vendors' services."""

from datetime import timedelta
from typing import Final

CONNECT_WITHIN_S: Final = 10.0
"""A model thinks for minutes, but a connection takes seconds: fail fast without one."""

QUEUE_CALL_S: Final = 10.0
"""Timeout of a call to Cloud Tasks about a whole queue."""

CLOCK_SKEW_S: Final = 10
"""The tolerated difference between the clocks of two machines."""

DISPATCH_DEADLINE: Final = timedelta(minutes=5)
"""The queue's timeout for an answer; a little longer than the work under one lease."""

PROVIDER_CHECK_S: Final = 4.0
"""Timeout of the question to a provider whether it works."""

SCHEDULE_CALL_S: Final = 10.0
"""Timeout of a call to Cloud Scheduler."""
