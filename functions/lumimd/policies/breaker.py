"""The shared state of a circuit breaker and its transitions, without a clock and without I/O.

    closed ──► open            too many failures, responses that take too long, a visit whose tries
                               all failed while no call was answered, or an account or
                               configuration fault
    open ──► half_open         after a pause, by the first caller: it takes the lease of the probe
    half_open ──► closed       after two probes in a row that were answered in time
    half_open ──► open         after a probe that failed or was too slow

Each function returns the breaker to store. If a transition does not apply, for instance because the
probe has been replaced since, the function returns the same breaker.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from lumimd.domain.codes import ErrorCode
from lumimd.domain.document import Document
from lumimd.domain.errors import DeploymentFault
from lumimd.domain.visit import Lease


class State(StrEnum):
    """The state of a breaker, which decides whether calls are made."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Reason(StrEnum):
    """The reason for the last change of a breaker's state."""

    FAILURES_IN_A_ROW = "failures_in_a_row"
    ERROR_RATE = "error_rate"
    SLOW = "slow"
    UNANSWERED = "unanswered"
    REFUSED = "refused"
    PAUSE_OVER = "pause_over"
    PROBE_FAILED = "probe_failed"
    PROBE_SLOW = "probe_slow"
    PROBES_ANSWERED = "probes_answered"


class Breaker(Document):
    """The stored state of a breaker, one document for each dependency, written at transitions only.

    `probe` is the lease of the probing caller while half-open, `successes` the number of answered
    probes in a row. `opened_at` is None while closed, `changed_at` before the first opening.
    `fault` is an account or configuration fault, set from the refusal until the breaker closes.
    `suspects` are digests of requests that were refused for an unknown reason since the last served
    call (see `breaker_suspects.py`); `cleared` are former suspects after which other requests were
    served.
    """

    name: str
    state: State = State.CLOSED
    opened_at: datetime | None = None
    probe: Lease | None = None
    successes: int = 0
    reason: Reason | None = None
    changed_at: datetime | None = None
    fault: DeploymentFault | None = None
    suspects: tuple[str, ...] = ()
    cleared: tuple[str, ...] = ()

    @property
    def is_closed(self) -> bool:
        """Whether the breaker is closed, so that all calls are made."""
        return self.state is State.CLOSED

    def is_probed_by(self, holder: str) -> bool:
        """Whether `holder` has the lease of the probe."""
        return self.probe is not None and self.probe.holder == holder


def key_of(name: str) -> str:
    """Return the document key of the breaker `name` in the collection `ops`."""
    return f"breaker-{name}"


@dataclass(frozen=True)
class BreakerPolicy:
    """The conditions in which the breaker `name` opens and closes; its refusals have the `code`.

    The breaker opens after `failures` failed calls in a row. It also opens if, of the last `calls`
    within `window` (at least `least_calls`), a share of `error_rate` failed or the median took
    longer than `slow`. A probe is cancelled after `probe_for`, when its lease expires; this is less
    than the time limit of a stage, which would end the probe without an outcome. The window is long
    enough for `least_calls` slow calls in sequence, as a quiet instance makes them. Without
    `counts_failures`, the breaker opens only for account and configuration faults.
    """

    name: str
    code: ErrorCode
    slow: timedelta
    window: timedelta
    probe_for: timedelta
    counts_failures: bool = True
    failures: int = 5
    calls: int = 20
    least_calls: int = 10
    error_rate: float = 0.5
    pause: timedelta = timedelta(seconds=60)
    successes: int = 2


TRANSCRIPTION: Final = BreakerPolicy(
    name="transcription",
    code=ErrorCode.TRANSCRIPTION_UNAVAILABLE,
    slow=timedelta(seconds=15),
    window=timedelta(minutes=3),
    probe_for=timedelta(seconds=45),  # an order takes up to 30 s; a read takes less than 15 s
)
ORDERS: Final = BreakerPolicy(
    name="orders",
    code=ErrorCode.TRANSCRIPTION_UNAVAILABLE,
    slow=timedelta(seconds=45),
    window=timedelta(minutes=3),
    probe_for=timedelta(seconds=45),
    counts_failures=False,
)
"""The breaker for orders (paid jobs) alone. For an unpaid account or a retired model, the provider
refuses orders but answers every poll. All other failures of an order count in `TRANSCRIPTION`."""
MODEL: Final = BreakerPolicy(
    name="model",
    code=ErrorCode.SUMMARY_UNAVAILABLE,
    slow=timedelta(seconds=90),
    window=timedelta(minutes=20),
    probe_for=timedelta(seconds=130),  # one call of 120 s: a paid call is not cancelled
)

WHILE_PROBED: Final = timedelta(seconds=10)
"""The pause of other callers during a probe, since most probes end long before their lease
expires."""


def opened(
    breaker: Breaker,
    since: datetime | None,
    reason: Reason,
    now: datetime,
    fault: DeploymentFault | None = None,
) -> Breaker:
    """Open a closed breaker, if its last change was at `since`, when the evidence began.

    A breaker that is already open only notes a `fault`.
    """
    if breaker.changed_at != since:
        return breaker
    if breaker.is_closed:
        return _open(breaker, reason, now, fault)
    return breaker if fault is None else breaker.model_copy(update={"fault": fault})


def probing(breaker: Breaker, holder: str, now: datetime, policy: BreakerPolicy) -> Breaker:
    """Lease the probe to `holder` if a probe is due and no other holder has the lease."""
    if breaker.is_closed or now < _next_probe_at(breaker, now, policy):
        return breaker
    lease = Lease(holder=holder, until=now + policy.probe_for)
    if breaker.state is State.HALF_OPEN:
        return breaker.model_copy(update={"probe": lease})
    changes = {"state": State.HALF_OPEN, "reason": Reason.PAUSE_OVER, "changed_at": now}
    return breaker.model_copy(update={**changes, "probe": lease})


def probe_answered(breaker: Breaker, holder: str, now: datetime, policy: BreakerPolicy) -> Breaker:
    """Count the probe of `holder` as answered in time; enough such probes close the breaker."""
    if not breaker.is_probed_by(holder):
        return breaker
    successes = breaker.successes + 1
    if successes < policy.successes:
        return breaker.model_copy(update={"probe": None, "successes": successes})
    closed = Breaker(name=breaker.name, reason=Reason.PROBES_ANSWERED, changed_at=now)
    return closed.model_copy(update={"suspects": breaker.suspects, "cleared": breaker.cleared})


def probe_failed(
    breaker: Breaker,
    holder: str,
    reason: Reason,
    now: datetime,
    fault: DeploymentFault | None = None,
) -> Breaker:
    """Open the breaker again, because the probe of `holder` failed, was too slow or was refused.

    A known fault stays noted after a probe that failed for another reason.
    """
    if not breaker.is_probed_by(holder):
        return breaker
    return _open(breaker, reason, now, fault or breaker.fault)


def probe_given_up(breaker: Breaker, holder: str) -> Breaker:
    """End the probe of `holder` without an outcome, so that the next caller may lease the probe."""
    if not breaker.is_probed_by(holder):
        return breaker
    return breaker.model_copy(update={"probe": None})


def ask_again_in(breaker: Breaker, now: datetime, policy: BreakerPolicy) -> timedelta:
    """Return the time after which a refused caller may lease the probe."""
    left = max(_next_probe_at(breaker, now, policy) - now, timedelta(0))
    return left if breaker.state is State.OPEN else min(left, WHILE_PROBED)


def _open(
    breaker: Breaker, reason: Reason, now: datetime, fault: DeploymentFault | None
) -> Breaker:
    changes = {"state": State.OPEN, "opened_at": now, "reason": reason, "changed_at": now}
    return breaker.model_copy(update={**changes, "probe": None, "successes": 0, "fault": fault})


def _next_probe_at(breaker: Breaker, now: datetime, policy: BreakerPolicy) -> datetime:
    if breaker.state is State.OPEN and breaker.opened_at is not None:
        return breaker.opened_at + policy.pause
    return breaker.probe.until if breaker.probe else now
