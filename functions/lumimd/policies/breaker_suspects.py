"""Decides whether the visit or the deployment is at fault if a provider gives no clear reason.

One bad visit must not stop all visits, and a bad configuration must not fail one visit after
another. So a refused visit becomes a suspect and waits. The breaker opens when `SEVERAL` different
visits were refused while no other visit was served. If another visit is served first, the
deployment works, and the suspects are cleared: the fault lies in these visits. A cleared visit
opens no breaker, and stops waiting after a day. All functions are pure.
"""

from datetime import datetime
from hashlib import sha256
from typing import Final

from lumimd.domain.errors import DeploymentFault
from lumimd.policies.breaker import Breaker, Reason, opened

SEVERAL: Final = 3
"""The number of suspects that opens the breaker; two bad recordings at a time may be a
coincidence."""

REMEMBERED: Final = 100
"""The number of cleared visits that are remembered, far more than a usual day has."""


def mark(subject: str) -> str:
    """Return a digest of the request's id, which reveals nothing in the stored document."""
    return sha256(subject.encode("utf-8", "replace")).hexdigest()[:16]


def is_alone(breaker: Breaker, subject: str) -> bool:
    """Whether other requests were served after the refusal of this request."""
    return breaker.is_closed and subject in breaker.cleared


def refused(breaker: Breaker, subject: str, now: datetime) -> Breaker:
    """Note that `subject` was refused for an unknown reason; enough suspects open the breaker."""
    if not breaker.is_closed or subject in breaker.cleared or subject in breaker.suspects:
        return breaker
    suspects = (*breaker.suspects, subject)
    suspected = breaker.model_copy(update={"suspects": suspects})
    if len(suspects) < SEVERAL:
        return suspected
    fault = DeploymentFault.REQUEST_REFUSED
    return opened(suspected, breaker.changed_at, Reason.REFUSED, now, fault)


def served(breaker: Breaker, subject: str) -> Breaker:
    """Clear all suspects, because `subject` was served and so the deployment works."""
    if not breaker.is_closed or not breaker.suspects:
        return breaker
    others = (each for each in breaker.suspects if each != subject)
    cleared = (*breaker.cleared, *others)[-REMEMBERED:]
    return breaker.model_copy(update={"suspects": (), "cleared": cleared})
