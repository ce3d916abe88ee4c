"""Lists the removable guards; removing any guard must break an invariant in the simulator.

If removing a guard breaks no invariant, the guard is dead code or an invariant is missing.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final
from unittest.mock import patch

from lumimd.domain import events, state_machine
from lumimd.domain.audio import Audio
from lumimd.domain.commit import Stored
from lumimd.domain.events import submission, summary
from lumimd.domain.visit import Lease, Visit
from lumimd.pipeline import (
    accept,
    collect,
    commands,
    lease,
    recover,
    save,
    submit,
    summarize,
    without_model,
)
from lumimd.policies import breaker as breaker_state
from lumimd.policies import lease as lease_policy
from lumimd.policies import retry
from lumimd.runtime import responses
from tests.simulation.guard import Guard, put
from tests.simulation.sabotage_of_account import ACCOUNT
from tests.simulation.sabotage_of_answers import ANSWERS
from tests.simulation.sabotage_of_bills import BILLS
from tests.simulation.sabotage_of_holds import HOLDS
from tests.simulation.sabotage_of_measuring import MEASURING
from tests.simulation.sabotage_of_moves import MOVES
from tests.simulation.sabotage_of_owners_work import OWNERS_WORK
from tests.simulation.sabotage_of_places import PLACES
from tests.simulation.sabotage_of_reading import READING
from tests.simulation.sabotage_of_rights import RIGHTS
from tests.simulation.sabotage_of_saves import SAVES
from tests.simulation.sabotage_of_takes import TAKES
from tests.simulation.sabotage_of_the_cap import CAP
from tests.simulation.sabotage_of_waiting import WAITING
from tests.simulation.transcription import Transcriptions


async def _finds_nothing(self: Transcriptions, audio: Audio, without: Any = ()) -> None:
    return None


@asynccontextmanager
async def _no_deadline(*args: Any) -> Any:
    yield


_advance = state_machine.advance


def _advance_any_attempt(visit: Visit, event: events.Event, now: Any) -> state_machine.Advance:
    if event.attempt is not None:
        event = replace(event, attempt=visit.attempt)
    return _advance(visit, event, now)


_record = save.save_event


async def _effects_first(services: Any, stored: Stored, event: events.Event, **more: Any) -> Any:
    step = _advance(stored.visit, event, services.clock.now())
    if step.changed:
        await save.perform(services, step.visit, step, stored.visit.attempt)
    return await _record(services, stored, event, **more)


async def _always_200(work: Any, *, rejected: int) -> int:
    try:
        await work
    except Exception:
        return 200
    return 200


def _named_by_any_generation(self: Audio, url: str) -> bool:
    return f"/{self.storage_path}?" in url


def _accept_any_generation(visit: Visit, audio: Audio) -> events.Event:
    if visit.audio is None:
        return events.AudioAccepted(None, audio)
    if audio.generation != visit.audio.generation:
        return events.AudioReplaced(None, audio)
    return events.AudioRepeated(None)


def _lease_without_counting(visit: Visit, lease: Any) -> dict[str, Any]:
    return {"lease": lease, "wake_at": lease.until}


_claims = events.SubmissionClaimed.changes


def _crashes_uncounted(self: events.SubmissionClaimed, visit: Visit, now: Any) -> dict[str, Any]:
    return {**_claims(self, visit, now), "expired_leases": visit.expired_leases}


def _submissions_uncounted(
    self: events.SubmissionClaimed, visit: Visit, now: Any
) -> dict[str, Any]:
    return {**_claims(self, visit, now), "stage_tries": visit.stage_tries}


def _probe_without_election(breaker: Any, holder: str, now: Any, policy: Any) -> Any:
    if breaker.is_closed:
        return breaker
    lease = Lease(holder=holder, until=now + policy.probe_for)
    changes: dict[str, Any] = {"probe": lease}
    if breaker.state is breaker_state.State.OPEN:
        changes |= {"state": breaker_state.State.HALF_OPEN, "changed_at": now}
    return breaker.model_copy(update=changes)


GUARDS: Final[Mapping[str, Guard]] = {
    "claim": Guard(
        "only one lease holder at a time makes paid calls",
        put((Visit, "is_leased", lambda self, now: False)),
    ),
    "claim-expiry-gap": Guard(
        "a crashed worker's last order is visible before another worker takes the lease",
        put((lease, "LEASE_GRACE", timedelta(0)), (lease_policy, "LEASE_GRACE", timedelta(0))),
        level="crowded",
    ),
    "work-ends-with-the-claim": Guard(
        "a worker with an expired lease makes no paid call",
        put((submit, "within_lease", _no_deadline), (summarize, "within_lease", _no_deadline)),
    ),
    "put-aside-is-a-claim": Guard(
        "a repeated task does not call the model before Retry-After has passed",
        put(
            (submission, "paused_until", lambda until: None),
            (summary, "paused_until", lambda until: None),
        ),
        level="repeating",
    ),
    "submission-tries-are-counted": Guard(
        "the number of orders for one visit is bounded",
        put((events.SubmissionClaimed, "changes", _submissions_uncounted)),
    ),
    "summary-tries-are-counted": Guard(
        "the number of model calls for one visit is bounded",
        put((summary, "leased", _lease_without_counting)),
    ),
    "deaths-are-counted": Guard(
        "a poison pill is not opened again and again",
        put((events.SubmissionClaimed, "changes", _crashes_uncounted)),
        level="poisoned",
    ),
    "look-before-you-pay": Guard(
        "the job of an order without an answer is adopted, and not ordered again",
        put((Transcriptions, "find", _finds_nothing)),
    ),
    "orders-are-not-retried": Guard(
        "an order without an answer may have arrived, and is not repeated",
        put((retry, "ORDER", retry.TRANSCRIPTION)),
    ),
    "unanswered-model-calls-are-not-retried": Guard(
        "an unanswered model call may be billed, and is not repeated",
        put((retry, "MODEL", replace(retry.MODEL, repeats_unanswered=True))),
    ),
    "job-identity": Guard(
        "a webhook that names another visit's job does not store its transcript",
        put((collect, "_is_of", lambda job, visit: True)),
    ),
    "generation-in-the-url": Guard(
        "the job of an older recording is not adopted",
        put((Audio, "is_named_by", _named_by_any_generation)),
    ),
    "newest-generation-wins": Guard(
        "a late event does not bring an old recording back",
        put((accept, "audio_event", _accept_any_generation)),
    ),
    "attempt-fencing": Guard(
        "a result of an earlier attempt is refused",
        put(
            (accept, "advance", _advance_any_attempt),
            (save, "advance", _advance_any_attempt),
            (lease, "advance", _advance_any_attempt),
        ),
    ),
    "overlapping-ticks": Guard(
        "of two concurrent ticks one creates the task, and neither takes a valid lease",
        put((recover, "_is_due", lambda services, visit: True)),
    ),
    "decisions-are-the-holders": Guard(
        "a worker decides the outcome once, and only while it holds its lease",
        put(
            (submit, "still_held", lambda leased: lambda visit: True),
            (summarize, "still_held", lambda leased: lambda visit: True),
            (without_model, "still_held", lambda leased: lambda visit: True),
        ),
    ),
    "effects-after-save": Guard(
        "a task runs only after the state that it needs is saved",
        put(*((module, "save_event", _effects_first) for module in (save, collect, recover))),
    ),
    "errors-decide-the-reply": Guard(
        "a failed request is not acknowledged",
        put((responses, "_status_of", _always_200)),
    ),
    "retry-keeps-the-transcript": Guard(
        "another attempt keeps a stored transcript",
        put((commands, "retry_event", lambda visit: events.SubmissionRetried(visit.attempt))),
    ),
    "dead-letters": Guard(
        "every failed visit has a dead letter",
        put(*((module, "dead_letter_of", lambda *_: None) for module in (save, accept))),
    ),
    "breaker-election": Guard(
        "only one probe at a time calls a dependency that is down",
        lambda stack: stack.enter_context(
            patch("lumimd.coordination.breaker.breaker.probing", _probe_without_election)
        ),
    ),
    **ANSWERS,
    **BILLS,
    **SAVES,
    **PLACES,
    **CAP,
    **MEASURING,
    **MOVES,
    **WAITING,
    **RIGHTS,
    **HOLDS,
    **TAKES,
    **ACCOUNT,
    **READING,
    **OWNERS_WORK,
}


@contextmanager
def removed(name: str | None) -> Iterator[None]:
    """Remove the guard `name` (None: no guard) within the context."""
    with ExitStack() as stack:
        if name is not None:
            GUARDS[name].remove(stack)
        yield
