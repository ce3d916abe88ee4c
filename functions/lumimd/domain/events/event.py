"""What every event has, and the fields that several of them set alike."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final

from lumimd.domain import ledger
from lumimd.domain.errors import ErrorCode
from lumimd.domain.progress import Step
from lumimd.domain.visit import Lease, Trouble, Visit

Changes = dict[str, Any]


@dataclass(frozen=True)
class Event:
    """Something that happened in `attempt`; None where the attempt has no say."""

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
    """So many seconds of audio are charged for a job, whatever becomes of its transcript."""

    transcript_id: str
    seconds: float

    def changes(self, visit: Visit) -> Changes:
        """The ledger with this job charged."""
        return {"ledger": ledger.charged(visit, self.transcript_id, self.seconds)}


NO_WORKER: Final = "nobody"
"""The holder of a claim that only keeps others off for a while."""


def paused_until(until: datetime) -> Lease:
    """Keeps a repeated task, or a tick that lost a race, from asking again before the time."""
    return Lease(holder=NO_WORKER, until=until)


def expired_without_outcome(visit: Visit) -> bool:
    """Whether the claim of the visit, once it has ended, is that of somebody who said nothing."""
    return visit.lease is not None and visit.lease.holder != NO_WORKER


def leased(visit: Visit, lease: Lease) -> Changes:
    """A try of the stage begins; if its holder dies, the visit is due when the claim ends."""
    return {"lease": lease, "stage_tries": visit.stage_tries + 1, "wake_at": lease.until}


def trouble(visit: Visit, code: ErrorCode, now: datetime) -> Trouble:
    """What went wrong in the stage so far, and now `code`."""
    if visit.trouble is not None:
        return visit.trouble.again(code, now)
    return Trouble(first_code=code, first_at=now, last_code=code, last_at=now)
