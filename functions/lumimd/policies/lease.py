"""The duration of leases."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from lumimd.domain.visit import Lease

LEASE_GRACE: Final = timedelta(seconds=45)
"""Time between the work deadline and lease expiry, so that a late order is visible in the
provider's list, which lags by up to half a minute, before another worker takes over."""


@dataclass(frozen=True)
class LeaseDuration:
    """The time for the work of a stage; less than the time-out of its function."""

    work: timedelta

    def lease(self, holder: str, now: datetime) -> Lease:
        """A lease for `holder` from now on; it expires `LEASE_GRACE` after the work deadline."""
        return Lease(holder=holder, until=now + self.work + LEASE_GRACE)


SUBMISSION: Final = LeaseDuration(work=timedelta(seconds=50))
"""Time to check a recording, and for one order of at most 30 s."""

SUMMARY: Final = LeaseDuration(work=timedelta(seconds=150))
"""One call of the model may take two minutes. After a crash the poller looks after the visit within
five minutes: work, grace and one tick of the scheduler."""
