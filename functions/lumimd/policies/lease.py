"""The durations of leases."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from lumimd.domain.visit import Lease

LEASE_GRACE: Final = timedelta(seconds=45)
"""The time between the work deadline and the expiry of a lease. In this time a late order (a paid
job) becomes visible in the provider's list, which lags by up to half a minute, before another
worker takes over."""


@dataclass(frozen=True)
class LeaseDuration:
    """The time limit for one try of a stage, which is less than the timeout of its function."""

    work: timedelta

    def lease(self, holder: str, now: datetime) -> Lease:
        """Return a lease for `holder`; it expires `LEASE_GRACE` after the work deadline."""
        return Lease(holder=holder, until=now + self.work + LEASE_GRACE)


SUBMISSION: Final = LeaseDuration(work=timedelta(seconds=50))
"""The time to check a recording, and for one order (a paid job) of at most 30 s."""

SUMMARY: Final = LeaseDuration(work=timedelta(seconds=150))
"""One call of the model may take two minutes. After a crash the poller retries the visit within
five minutes: work, grace and one tick of the scheduler."""
