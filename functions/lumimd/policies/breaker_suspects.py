"""Is it the request, or the deployment? A refusal for a reason that is not known: pure.

One bad visit must not stop the others, and a bad deployment must not cost one visit after another.
So a refused visit is a suspect and waits. The breaker opens when `SEVERAL` different ones were
refused while nothing else was served. Where something else is served first, the suspects are
cleared of having the deployment's fault: it is their own. They open nothing any more, and end after
a day.
"""

from datetime import datetime
from hashlib import sha256
from typing import Final

from lumimd.domain.errors import DeploymentFault
from lumimd.policies.breaker import Breaker, Reason, opened

SEVERAL: Final = 3
"""Two recordings that are bad in the same minutes are a coincidence."""

REMEMBERED: Final = 100
"""Cleared visits, the newest: far more than are refused alone in a day."""


def mark(subject: str) -> str:
    """The name of a request in the stored document: nothing can be read from it."""
    return sha256(subject.encode("utf-8", "replace")).hexdigest()[:16]


def is_alone(breaker: Breaker, subject: str) -> bool:
    """Whether others were served after this one had been refused."""
    return breaker.is_closed and subject in breaker.cleared


def refused(breaker: Breaker, subject: str, now: datetime) -> Breaker:
    """`subject` was refused for a reason that is not known."""
    if not breaker.is_closed or subject in breaker.cleared or subject in breaker.suspects:
        return breaker
    suspects = (*breaker.suspects, subject)
    suspected = breaker.model_copy(update={"suspects": suspects})
    if len(suspects) < SEVERAL:
        return suspected
    fault = DeploymentFault.REQUEST_REFUSED
    return opened(suspected, breaker.changed_at, Reason.REFUSED, now, fault)


def served(breaker: Breaker, subject: str) -> Breaker:
    """`subject` was served, so the deployment works: those that were refused are cleared."""
    if not breaker.is_closed or not breaker.suspects:
        return breaker
    others = (each for each in breaker.suspects if each != subject)
    cleared = (*breaker.cleared, *others)[-REMEMBERED:]
    return breaker.model_copy(update={"suspects": (), "cleared": cleared})
