"""The base of all events, and fields that several events set alike."""

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
    """An event of `attempt`; None for an event that applies to any attempt."""

    name: ClassVar[str]
    recorded: ClassVar[bool] = True
    step: ClassVar[Step | None] = None
    attempt: int | None

    def __init_subclass__(cls) -> None:
        """`TranscriptStored` is stored and drawn as `transcript_stored`."""
        cls.name = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()

    @property
    def detail(self) -> str | None:
        """A code for the history."""
        return None

    def changes(self, visit: Visit, now: datetime) -> Changes:
        """The fields that this event sets. Non-terminal events always set `wake_at`."""
        raise NotImplementedError


@dataclass(frozen=True)
class Charge:
    """A job is charged for `seconds` of audio, whether or not its transcript is used."""

    transcript_id: str
    seconds: float

    def changes(self, visit: Visit) -> Changes:
        """The ledger with this job charged."""
        return {"ledger": ledger.charged(visit, self.transcript_id, self.seconds)}


NO_WORKER: Final = "nobody"
"""The holder of a lease that only pauses the stage."""


def paused_until(until: datetime) -> Lease:
    """A lease of no worker: repeated tasks, and ticks that lost a race, wait until it expires."""
    return Lease(holder=NO_WORKER, until=until)


def expired_without_outcome(visit: Visit) -> bool:
    """Whether the lease, once it has expired, is that of a worker that recorded no outcome."""
    return visit.lease is not None and visit.lease.holder != NO_WORKER


def leased(visit: Visit, lease: Lease) -> Changes:
    """A worker begins a try of the stage; if it crashes, the visit is due at lease expiry."""
    return {"lease": lease, "stage_tries": visit.stage_tries + 1, "wake_at": lease.until}


def trouble(visit: Visit, code: ErrorCode, now: datetime) -> Trouble:
    """The errors of the stage so far, and `code` as the newest."""
    if visit.trouble is not None:
        return visit.trouble.again(code, now)
    return Trouble(first_code=code, first_at=now, last_code=code, last_at=now)
