"""Times of admission control."""

from datetime import timedelta
from typing import Final

from lumimd.policies.job_limit import LONGEST

FLOW_KEPT_FOR: Final = timedelta(days=2)
"""A flow whose last turn is older has no visit in the queue; it may begin anew."""

PERMIT_FOR: Final = LONGEST + timedelta(hours=1)
"""As long as the longest job: a job that was given up earlier may still run, and needs its
permit."""

PROMISED_FOR: Final = timedelta(minutes=5)
"""How long a permit is kept for a visit that was called from the queue and does not come."""

QUEUE_CHECK: Final = timedelta(hours=1)
"""A fallback: the poller serves the queue every minute."""

STORE_PAUSE_S: Final = 30.0
"""Pause of a visit after the store of the permits did not answer."""

RECLAIM_AFTER: Final = timedelta(minutes=10)
"""Most jobs have ended by then, so an older permit is worth a look."""

ATTEMPT_SETTLED: Final = timedelta(minutes=5)
"""After that, a worker that was about to order for an earlier attempt has stopped for certain, and
the provider's list, which lags, shows its orders."""

COUNTED_FOR: Final = timedelta(hours=1, minutes=2)
"""An hour plus one lease: an order arrives at most one lease after it was noted."""
