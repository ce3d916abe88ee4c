"""Timeouts of calls to vendors and to services of Google Cloud."""

from datetime import timedelta
from typing import Final

CONNECT_WITHIN_S: Final = 10.0
"""The time limit for connecting to a model. A model may think for minutes, but a connection takes
seconds."""

QUEUE_CALL_S: Final = 10.0
"""The timeout of a call to Cloud Tasks about a whole queue."""

CLOCK_SKEW_S: Final = 10
"""The tolerated difference between the clocks of two machines."""

DISPATCH_DEADLINE: Final = timedelta(minutes=5)
"""The time that the queue waits for the response to a task, a little longer than the work under one
lease."""

PROVIDER_CHECK_S: Final = 4.0
"""The timeout of the health check of a provider or of the bucket."""

SCHEDULE_CALL_S: Final = 10.0
"""The timeout of a call to Cloud Scheduler."""
