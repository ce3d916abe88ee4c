"""The duration of leases."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from lumimd.domain.visit import Lease

GAP: Final = timedelta(seconds=45)
"""Between the end of a holder's work and the end of its claim: an order that a holder sent with its
last breath has arrived, and the provider's list, which lags by up to half a minute, shows it."""


@dataclass(frozen=True)
class LeaseDuration:
    """How long one holder may work on a stage; less than its function's time-out."""

    work: timedelta

    def lease(self, holder: str, now: datetime) -> Lease:
        """A claim of this length for `holder`, from now on."""
        return Lease(holder=holder, until=now + self.work + GAP)


SUBMISSION: Final = LeaseDuration(work=timedelta(seconds=50))


SUMMARY: Final = LeaseDuration(work=timedelta(seconds=150))
"""One call of the model may take two minutes; and a visit whose holder died is looked after within
five: after work and gap, and a tick of the scheduler."""
