"""Trouble of the account: a provider refuses the deployment for hours or days, then serves it."""

from dataclasses import dataclass
from random import Random
from typing import Final

from lumimd.domain.errors import DeploymentFault

_F = DeploymentFault

EVERYTHING: Final = (_F.KEY_REFUSED, _F.FORBIDDEN, _F.UNPAID, _F.ROUTE_NOT_FOUND)
"""Faults that refuse every call."""

ORDERS: Final = (
    _F.UNPAID,
    _F.FORBIDDEN,
    _F.MODEL_NOT_FOUND,
    _F.QUOTA_EXHAUSTED,
    _F.REQUEST_REFUSED,
)
"""Faults that refuse the calls that cost money, and no others."""

HOURS: Final = (3.0, 30.0, 72.0)
"""Some longer than a visit is held for (a day), or may idle (two days, in a simulation)."""


@dataclass(frozen=True)
class Refusal:
    """From when until when a provider refuses the deployment (seconds), and why."""

    provider: str
    begins: float
    ends: float
    fault: DeploymentFault
    only_paid: bool

    def refuses(self, provider: str, is_paid: bool, now: float) -> bool:
        """Whether a call is refused."""
        is_meant = provider == self.provider and (is_paid or not self.only_paid)
        return is_meant and self.begins <= now < self.ends


def drawn(rng: Random, longest_h: float) -> Refusal:
    """One refusal that begins while recordings come in."""
    provider = rng.choice(("transcription", "transcription", "model"))
    only_paid = rng.random() < 0.5
    fault = rng.choice(ORDERS if only_paid else EVERYTHING)
    begins = rng.uniform(0, 1500)
    hours = min(longest_h, rng.choice(HOURS))
    return Refusal(provider, begins, begins + hours * 3600, fault, only_paid)
