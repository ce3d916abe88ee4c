"""Draws account faults: a provider refuses the deployment's calls for hours or days."""

from dataclasses import dataclass
from random import Random
from typing import Final

from lumimd.domain.errors import DeploymentFault

_F = DeploymentFault

EVERYTHING: Final = (_F.KEY_REFUSED, _F.FORBIDDEN, _F.UNPAID, _F.ROUTE_NOT_FOUND)
"""Reasons for which a provider refuses every call of the deployment."""

ORDERS: Final = (
    _F.UNPAID,
    _F.FORBIDDEN,
    _F.MODEL_NOT_FOUND,
    _F.QUOTA_EXHAUSTED,
    _F.REQUEST_REFUSED,
)
"""Reasons for which a provider refuses only the paid calls of the deployment."""

HOURS: Final = (3.0, 30.0, 72.0)
"""Durations, some longer than a visit may wait for a dependency (a day) or idle (two days)."""


@dataclass(frozen=True)
class Refusal:
    """A period (seconds) in which a provider refuses the deployment's calls, and the reason."""

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
    """Draw a refusal that begins while owners upload recordings; return it."""
    provider = rng.choice(("transcription", "transcription", "model"))
    only_paid = rng.random() < 0.5
    fault = rng.choice(ORDERS if only_paid else EVERYTHING)
    begins = rng.uniform(0, 1500)
    hours = min(longest_h, rng.choice(HOURS))
    return Refusal(provider, begins, begins + hours * 3600, fault, only_paid)
