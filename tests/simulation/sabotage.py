"""Guards that can be removed, each by its name: the simulator must notice that each is missing.

A guard that nothing misses is dead code, or a promise that nobody watches.
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
async def _without_end(*args: Any) -> Any:
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
        await save.perform(services, step.visit, step)
    return await _record(services, stored, event, **more)


async def _always_200(work: Any, *, rejected: int) -> int:
    try:
        await work
    except Exception:
        return 200
    return 200


def _named_by_any_generation(self: Audio, url: str) -> bool:
    return f"/{self.storage_path}?" in url


def _any_difference_is_news(visit: Visit, audio: Audio) -> events.Event:
    if visit.audio is None:
        return events.AudioAccepted(None, audio)
    if audio.generation != visit.audio.generation:
        return events.AudioReplaced(None, audio)
    return events.AudioRepeated(None)


def _claimed_uncounted(visit: Visit, lease: Any) -> dict[str, Any]:
    return {"lease": lease, "wake_at": lease.until}


_claims = events.SubmissionClaimed.changes


def _deaths_uncounted(self: events.SubmissionClaimed, visit: Visit, now: Any) -> dict[str, Any]:
    return {**_claims(self, visit, now), "expired_leases": visit.expired_leases}


def _submissions_uncounted(
    self: events.SubmissionClaimed, visit: Visit, now: Any
) -> dict[str, Any]:
    return {**_claims(self, visit, now), "stage_tries": visit.stage_tries}


def _everybody_probes(breaker: Any, holder: str, now: Any, policy: Any) -> Any:
    if breaker.is_closed:
        return breaker
    lease = Lease(holder=holder, until=now + policy.probe_for)
    changes: dict[str, Any] = {"probe": lease}
    if breaker.state is breaker_state.State.OPEN:
        changes |= {"state": breaker_state.State.HALF_OPEN, "changed_at": now}
    return breaker.model_copy(update=changes)


_EVERYWHERE: Final = (collect, without_model, submit, summarize, recover)

GUARDS: Final[Mapping[str, Guard]] = {
    "claim": Guard(
        "one holder at a time may pay",
        put((Visit, "is_leased", lambda self, now: False)),
    ),
    "claim-expiry-gap": Guard(
        "no call of a dead holder is still on its way when the next one looks",
        put((lease, "LEASE_GRACE", timedelta(0)), (lease_policy, "LEASE_GRACE", timedelta(0))),
        level="crowded",
    ),
    "work-ends-with-the-claim": Guard(
        "who lost its claim must not pay any more",
        put((submit, "within_lease", _without_end), (summarize, "within_lease", _without_end)),
    ),
    "put-aside-is-a-claim": Guard(
        "a repeated task does not ask the model before the time that it asked for",
        put(
            (submission, "paused_until", lambda until: None),
            (summary, "paused_until", lambda until: None),
        ),
        level="repeating",
    ),
    "submission-tries-are-counted": Guard(
        "the orders that one visit can cause are bounded",
        put((events.SubmissionClaimed, "changes", _submissions_uncounted)),
    ),
    "summary-tries-are-counted": Guard(
        "the calls of the model that one visit can cause are bounded",
        put((summary, "leased", _claimed_uncounted)),
    ),
    "deaths-are-counted": Guard(
        "a recording that kills whoever opens it is not opened for ever",
        put((events.SubmissionClaimed, "changes", _deaths_uncounted)),
        level="poisoned",
    ),
    "look-before-you-pay": Guard(
        "an order whose answer was lost is adopted, not repeated",
        put((Transcriptions, "find", _finds_nothing)),
    ),
    "orders-are-not-retried": Guard(
        "nobody knows whether an order without an answer arrived",
        put((retry, "ORDER", retry.TRANSCRIPTION)),
    ),
    "unanswered-model-calls-are-not-retried": Guard(
        "an answer is paid for whether it is heard or not",
        put((retry, "MODEL", replace(retry.MODEL, repeats_unanswered=True))),
    ),
    "job-identity": Guard(
        "a hint cannot slip one visit the transcript of another",
        put((collect, "_is_of", lambda job, visit: True)),
    ),
    "generation-in-the-url": Guard(
        "the job of an older recording is not adopted",
        put((Audio, "is_named_by", _named_by_any_generation)),
    ),
    "newest-generation-wins": Guard(
        "an event that comes late does not bring an old recording back",
        put((accept, "audio_event", _any_difference_is_news)),
    ),
    "attempt-fencing": Guard(
        "what an earlier attempt still brings is refused",
        put(
            (accept, "advance", _advance_any_attempt),
            (save, "advance", _advance_any_attempt),
            (lease, "advance", _advance_any_attempt),
        ),
    ),
    "overlapping-ticks": Guard(
        "of two ticks one creates the task, and none takes a claim away",
        put((recover, "_is_due", lambda services, visit: True)),
    ),
    "decisions-are-the-holders": Guard(
        "who lost its claim, or has decided already, does not decide again",
        put(
            (submit, "still_held", lambda leased: lambda visit: True),
            (summarize, "still_held", lambda leased: lambda visit: True),
            (without_model, "still_held", lambda leased: lambda visit: True),
        ),
    ),
    "effects-after-save": Guard(
        "a task never comes before the state that it is about",
        put(*((module, "save_event", _effects_first) for module in _EVERYWHERE)),
    ),
    "errors-decide-the-reply": Guard(
        "what failed is not acknowledged",
        put((responses, "_status_of", _always_200)),
    ),
    "retry-keeps-the-transcript": Guard(
        "another attempt does not transcribe again what is transcribed",
        put((commands, "retry_event", lambda visit: events.SubmissionRetried(visit.attempt))),
    ),
    "dead-letters": Guard(
        "every visit that failed is an operator's business",
        put((save, "dead_letter_of", lambda visit, now: None)),
    ),
    "breaker-election": Guard(
        "a dependency that is down is asked by one probe at a time",
        lambda stack: stack.enter_context(
            patch("lumimd.coordination.breaker.breaker.probing", _everybody_probes)
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
    """Without the guard of that name, and with all others."""
    with ExitStack() as stack:
        if name is not None:
            GUARDS[name].remove(stack)
        yield
