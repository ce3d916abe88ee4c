"""Guards of waiting: who waits for a dependency that is down has not tried.

That an order, on the other hand, uses up a try, is missed where orders alone fail for hours: see
`tests/contract/test_calls_under_500.py`. Here the breaker bounds them as well.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from lumimd.domain import events
from lumimd.domain.audio import Audio
from lumimd.domain.visit import Visit
from lumimd.pipeline import recover, submit, without_model
from lumimd.pipeline.services import Services
from lumimd.policies import due, waiting
from tests.simulation.faults import Dependency
from tests.simulation.guard import Guard, put

TWO_HOURS: Final = 120.0


def _put_aside_after_a_try(*args: Any, **more: Any) -> events.Event:
    event = _put_aside(*args, **more)
    if isinstance(event, events.SubmissionDeferred):
        return replace(event, used_a_try=True)
    return event


async def _nobody_knows(*args: Any) -> None:
    return None


def _held_for_a_try(self: events.SubmissionHeld, visit: Visit, now: Any) -> dict[str, Any]:
    return {**_held(self, visit, now), "stage_tries": visit.stage_tries}


async def _measured_again(services: Services, visit: Visit, audio: Audio) -> Audio:
    return await services.audio.measure(audio)


_put_aside = submit._put_aside
_held = events.SubmissionHeld.changes

WAITING: Final[Mapping[str, Guard]] = {
    "looking-uses-no-try": Guard(
        "who cannot look at the provider's list does not know that there is no transcript",
        put((submit, "_put_aside", _put_aside_after_a_try)),
    ),
    "holding-gives-the-try-back": Guard(
        "waiting for a dependency that is down uses up no try",
        put((events.SubmissionHeld, "changes", _held_for_a_try)),
        level="none",
        outages=((Dependency.TRANSCRIPTION, TWO_HOURS),),
    ),
    "known-down-model": Guard(
        "an outage that few notice costs no visit its last try",
        put((without_model, "known_down", _nobody_knows)),
        level="none",
        outages=((Dependency.MODEL, TWO_HOURS),),
    ),
    "waiting-in-line-is-not-idling": Guard(
        "who waits for the quota is not expired like somebody who never records",
        put((due, "IN_LINE", 1)),
        level="rationed",
    ),
    "who-waited-is-not-old": Guard(
        "what goes on after a long wait does not expire on the way",
        put((due, "_stage_began_at", lambda visit: visit.timings.processing_started_at)),
        level="rationed",
    ),
    "suspects-are-alone": Guard(
        "a recording that kills whoever opens it takes no other visit along",
        put((recover, "_may_have_killed", lambda visit, now: False)),
        level="poisoned",
    ),
    "poison-is-left-alone": Guard(
        "a recording that kills whoever opens it is not opened for ever",
        put((submit, "_measured", _measured_again)),
        level="poisoned",
    ),
    "patience-begins-with-the-attempt": Guard(
        "a summary that is wanted a day later gets as many tries as any other",
        put((waiting, "wanted_since", waiting._transcribed_at)),
    ),
}
