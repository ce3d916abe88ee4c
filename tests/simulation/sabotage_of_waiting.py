"""Guards for waiting: a visit uses up no try while it waits for a dependency that is down.

The submission of a paid job (order) does use up a try. In the simulator the breaker bounds
submissions too, so that removing that guard breaks no invariant;
`tests/contract/test_calls_under_500.py` tests the guard with submissions that fail for hours.
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


def _defer_after_a_try(*args: Any, **more: Any) -> events.Event:
    event = _put_aside(*args, **more)
    if isinstance(event, events.SubmissionDeferred):
        return replace(event, used_a_try=True)
    return event


async def _never_known_down(*args: Any) -> None:
    return None


def _hold_with_a_try(self: events.SubmissionHeld, visit: Visit, now: Any) -> dict[str, Any]:
    return {**_held(self, visit, now), "stage_tries": visit.stage_tries}


async def _measure_again(services: Services, visit: Visit, audio: Audio) -> Audio:
    return await services.audio.measure(audio)


_put_aside = submit._put_aside
_held = events.SubmissionHeld.changes

WAITING: Final[Mapping[str, Guard]] = {
    "looking-uses-no-try": Guard(
        "a worker that could not read the provider's list uses up no try",
        put((submit, "_put_aside", _defer_after_a_try)),
    ),
    "holding-gives-the-try-back": Guard(
        "waiting for the end of an outage uses up no try",
        put((events.SubmissionHeld, "changes", _hold_with_a_try)),
        level="none",
        outages=((Dependency.TRANSCRIPTION, TWO_HOURS),),
    ),
    "known-down-model": Guard(
        "an outage of the model uses up no visit's last try",
        put((without_model, "known_down", _never_known_down)),
        level="none",
        outages=((Dependency.MODEL, TWO_HOURS),),
    ),
    "waiting-in-line-is-not-idling": Guard(
        "a visit that waits for the quota expires later than one without a recording",
        put((due, "IN_LINE", 1)),
        level="rationed",
    ),
    "who-waited-is-not-old": Guard(
        "a visit that resumes after a long wait does not expire at once",
        put((due, "_stage_began_at", lambda visit: visit.timings.processing_started_at)),
        level="rationed",
    ),
    "suspects-are-alone": Guard(
        "a poison pill crashes no worker that handles other visits",
        put((recover, "_may_have_killed", lambda visit, now: False)),
        level="poisoned",
    ),
    "poison-is-left-alone": Guard(
        "a poison pill is not opened again and again",
        put((submit, "_measured", _measure_again)),
        level="poisoned",
    ),
    "patience-begins-with-the-attempt": Guard(
        "a summary requested a day later gets as many tries as any other",
        put((without_model, "wanted_since", waiting._transcribed_at)),
    ),
}
