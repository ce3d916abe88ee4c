"""Time limits of one request, run or call."""

from datetime import timedelta
from typing import Final

BREAKER_STORE_S: Final = 1.0
"""The most time that the breaker's store may cost a call, once before it and once after it."""

RETENTION_RUN: Final = timedelta(minutes=13)
"""Time budget of a run. Its function is stopped after fifteen minutes."""

SHUTDOWN_GRACE_S: Final = 5.0
"""Seconds of the ten for work to finish; the rest is for saving its result."""

DUE_VISITS: Final = timedelta(minutes=2)
"""Time budget of the due visits; the fair queue and the deletions follow."""

RECOVERY_RUN: Final = timedelta(minutes=4)
"""Time budget of a run. Its function is stopped after five minutes."""

EXPORT_PART: Final = timedelta(seconds=25)
"""After this time a part begins no further visit: its function is stopped after a minute
(deployment.json), and a long visit still has to reach a slow client."""

HEALTH_CHECK_S: Final = 5.0
"""A slower answer counts as a failure."""

BULK_RETRY_REQUEST: Final = timedelta(seconds=40)
"""The last retry of one request begins before this: the platform ends a request after a minute
(`timeout_seconds`), and its answer would be lost. `scripts/ops bulk-retry` has no such limit."""

COLLECT_WITHIN_S: Final = 8.0
"""The provider waits ten seconds for the answer to its webhook."""

AFTER_RESTORE_REQUEST: Final = timedelta(seconds=30)
"""Half of the time limit of a request."""

RATE_LIMIT_STORE_S: Final = 3.0
"""The most time that the buckets may cost a call; after it the store counts as down."""

ERASURE_IN_REQUEST: Final = timedelta(seconds=30)
"""Half of the time limit of a request. The poller deletes the rest of thousands of visits."""

RECONCILIATION_RUN: Final = timedelta(minutes=5)
"""Time budget of reconciliation; retention follows in the same invocation."""

ERASURE_REQUEST: Final = timedelta(minutes=1)
"""Maximum time of a request; the poller starts after it."""

DOCTOR_CHECK_S: Final = 20.0
"""A tool that has just started loads its SDKs and connects before its first call."""
