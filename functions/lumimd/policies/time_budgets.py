"""Time limits of single requests, scheduled runs and calls."""

from datetime import timedelta
from typing import Final

BREAKER_STORE_S: Final = 1.0
"""The most time that a call waits for the breaker's store, once before and once after the call."""

RETENTION_RUN: Final = timedelta(minutes=13)
"""The time budget of a retention run. Its function is stopped after fifteen minutes."""

SHUTDOWN_GRACE_S: Final = 5.0
"""The seconds for work to finish at shutdown. Cloud Run grants ten seconds; the remaining seconds
are for saving the result."""

DUE_VISITS: Final = timedelta(minutes=2)
"""The time budget of the due visits in one run; the fair queue and the deletions follow."""

RECOVERY_RUN: Final = timedelta(minutes=4)
"""The time budget of a recovery run. Its function is stopped after five minutes."""

EXPORT_PART: Final = timedelta(seconds=25)
"""The time after which a part of an export begins no further visit. The function is stopped after a
minute (deployment.json), and a long visit still has to reach a slow client."""

HEALTH_CHECK_S: Final = 5.0
"""The time limit of a health check; a slower answer counts as a failure."""

BULK_RETRY_REQUEST: Final = timedelta(seconds=40)
"""The time after which one request begins no further retry: the platform ends a request after a
minute (`timeout_seconds`), and the response would be lost. `scripts/ops bulk-retry` has no such
limit."""

COLLECT_WITHIN_S: Final = 8.0
"""The time limit of a webhook call, since the provider waits ten seconds for the response."""

AFTER_RESTORE_REQUEST: Final = timedelta(seconds=30)
"""The time budget of a request after a restore: half of the time limit of a request."""

RATE_LIMIT_STORE_S: Final = 3.0
"""The most time that a call waits for its rate limits; after this time the store counts as down."""

ERASURE_IN_REQUEST: Final = timedelta(seconds=30)
"""The time budget for deleting a user's data within the request: half of its time limit. The poller
deletes the remaining visits of a user with thousands of visits."""

RECONCILIATION_RUN: Final = timedelta(minutes=5)
"""The time budget of reconciliation; retention follows in the same invocation."""

ERASURE_REQUEST: Final = timedelta(minutes=1)
"""The time limit of a request that deletes a user's data; then the poller continues the
deletion."""

DOCTOR_CHECK_S: Final = 20.0
"""The time limit of one check of the doctor command, which loads its SDKs and connects first."""
