"""Refusals for an unknown reason: is the visit at fault, or the deployment? Pure.

One bad visit must not stop the others, and a bad deployment must not fail one visit after another.
So a refused visit becomes a suspect and waits. The breaker opens when `SEVERAL` different visits
were refused and no other one was served. If another visit is served first, the deployment works and
the suspects are cleared: the fault is their own. Cleared visits open no breaker, and end after a
day.
"""

from datetime import datetime
from hashlib import sha256
from typing import Final

from lumimd.domain.errors import DeploymentFault
from lumimd.policies.breaker import Breaker, Reason, opened

SEVERAL: Final = 3
"""Two bad recordings in the same minutes are a coincidence."""

REMEMBERED: Final = 100
"""The newest cleared visits only: far more than are refused alone in a day."""


def mark(subject: str) -> str:
    """The digest of a request, for the stored document; it reveals nothing."""
    return sha256(subject.encode("utf-8", "replace")).hexdigest()[:16]


def is_alone(breaker: Breaker, subject: str) -> bool:
    """Whether other requests were served after the refusal of this one."""
    return breaker.is_closed and subject in breaker.cleared


def refused(breaker: Breaker, subject: str, now: datetime) -> Breaker:
    """`subject` was refused for an unknown reason."""
    if not breaker.is_closed or subject in breaker.cleared or subject in breaker.suspects:
        return breaker
    suspects = (*breaker.suspects, subject)
    suspected = breaker.model_copy(update={"suspects": suspects})
    if len(suspects) < SEVERAL:
        return suspected
    fault = DeploymentFault.REQUEST_REFUSED
    return opened(suspected, breaker.changed_at, Reason.REFUSED, now, fault)


def served(breaker: Breaker, subject: str) -> Breaker:
    """`subject` was served, so the deployment works: the suspects are cleared."""
    if not breaker.is_closed or not breaker.suspects:
        return breaker
    others = (each for each in breaker.suspects if each != subject)
    cleared = (*breaker.cleared, *others)[-REMEMBERED:]
    return breaker.model_copy(update={"suspects": (), "cleared": cleared})
