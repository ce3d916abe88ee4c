"""Account faults: a provider refuses the deployment for hours or days, then serves it again."""

from dataclasses import dataclass
from random import Random
from typing import Final

from lumimd.domain.errors import DeploymentFault

_F = DeploymentFault

EVERYTHING: Final = (_F.KEY_REFUSED, _F.FORBIDDEN, _F.UNPAID, _F.ROUTE_NOT_FOUND)
"""Faults for which the provider refuses every call."""

ORDERS: Final = (
    _F.UNPAID,
    _F.FORBIDDEN,
    _F.MODEL_NOT_FOUND,
    _F.QUOTA_EXHAUSTED,
    _F.REQUEST_REFUSED,
)
"""Faults for which the provider refuses only paid calls."""

HOURS: Final = (3.0, 30.0, 72.0)
"""Some exceed the time that a visit is held for (a day) or may idle (two simulated days)."""


@dataclass(frozen=True)
class Refusal:
    """The period (seconds) in which a provider refuses the deployment, and the reason."""

    provider: str
    begins: float
    ends: float
    fault: DeploymentFault
    only_paid: bool

    def refuses(self, provider: str, is_paid: bool, now: float) -> bool:
        """Whether the provider refuses a call at `now`."""
        is_meant = provider == self.provider and (is_paid or not self.only_paid)
        return is_meant and self.begins <= now < self.ends


def drawn(rng: Random, longest_h: float) -> Refusal:
    """Draw one refusal that begins while owners upload recordings."""
    provider = rng.choice(("transcription", "transcription", "model"))
    only_paid = rng.random() < 0.5
    fault = rng.choice(ORDERS if only_paid else EVERYTHING)
    begins = rng.uniform(0, 1500)
    hours = min(longest_h, rng.choice(HOURS))
    return Refusal(provider, begins, begins + hours * 3600, fault, only_paid)
