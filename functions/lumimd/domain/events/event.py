"""The base class of all events, and helpers for fields that several events set."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final

from lumimd.domain import ledger
from lumimd.domain.codes import ErrorCode
from lumimd.domain.progress import Step
from lumimd.domain.visit import Lease, Trouble, Visit

Changes = dict[str, Any]


@dataclass(frozen=True)
class Event:
    """An event of one `attempt` of the visit; None means that it applies to any attempt."""

    name: ClassVar[str]
    recorded: ClassVar[bool] = True
    step: ClassVar[Step | None] = None
    attempt: int | None

    def __init_subclass__(cls) -> None:
        """Set the name of the event, for instance `transcript_stored` for `TranscriptStored`."""
        cls.name = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()

    @property
    def detail(self) -> str | None:
        """Return a code for the entry in the history, or None."""
        return None

    def changes(self, visit: Visit, now: datetime) -> Changes:
        """Return the fields that this event sets. Non-terminal events always set `wake_at`."""
        raise NotImplementedError


@dataclass(frozen=True)
class Charge:
    """The charge for `seconds` of audio of one job, whether or not its transcript is used."""

    transcript_id: str
    seconds: float

    def changes(self, visit: Visit) -> Changes:
        """Return the changed ledger, on which this job is charged."""
        return {"ledger": ledger.charged(visit, self.transcript_id, self.seconds)}


NO_WORKER: Final = "nobody"
"""The holder name in a lease that no worker holds and that only pauses the stage."""


def paused_until(until: datetime) -> Lease:
    """Return a lease without a worker: duplicate tasks and late ticks wait until it expires."""
    return Lease(holder=NO_WORKER, until=until)


def expired_without_outcome(visit: Visit) -> bool:
    """Whether the lease belongs to a worker, so that its expiry means a missing outcome."""
    return visit.lease is not None and visit.lease.holder != NO_WORKER


def leased(visit: Visit, lease: Lease) -> Changes:
    """Return the fields of a new try; after a crash the visit is due at the expiry of the lease."""
    return {"lease": lease, "stage_tries": visit.stage_tries + 1, "wake_at": lease.until}


def trouble(visit: Visit, code: ErrorCode, now: datetime) -> Trouble:
    """Return the errors of the stage so far, with `code` as the newest error."""
    if visit.trouble is not None:
        return visit.trouble.again(code, now)
    return Trouble(first_code=code, first_at=now, last_code=code, last_at=now)
