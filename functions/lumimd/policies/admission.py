"""Durations that admission control uses."""

from datetime import timedelta
from typing import Final

from lumimd.policies.job_limit import LONGEST

FLOW_KEPT_FOR: Final = timedelta(days=2)
"""How long the turn counter of a user and a priority (a flow) is kept after its last turn. After
this time no visit of the flow is in the queue, and the flow may begin anew."""

PERMIT_FOR: Final = LONGEST + timedelta(hours=1)
"""How long a permit is valid: longer than the longest job, because a job that its visit gave up may
still run and needs its permit."""

PROMISED_FOR: Final = timedelta(minutes=5)
"""How long a permit is kept for a visit that was called from the queue and does not use the
permit."""

QUEUE_CHECK: Final = timedelta(hours=1)
"""How often a queued visit checks for a permit, as a fallback: the poller serves the queue every
minute."""

STORE_PAUSE_S: Final = 30.0
"""The pause of a visit, in seconds, after the store of the permits did not answer."""

RECLAIM_AFTER: Final = timedelta(minutes=10)
"""The age of a permit from which its job is checked, since most jobs have ended by then."""

ATTEMPT_SETTLED: Final = timedelta(minutes=5)
"""The time after the end of an attempt in which its worker may still submit a paid job. After this
time the worker has certainly stopped, and the provider's list, which lags, shows its jobs."""

COUNTED_FOR: Final = timedelta(hours=1, minutes=2)
"""How long an order (a paid job) counts against the hourly cap: an hour plus one lease, because the
order reaches the provider at most one lease after it was noted."""
