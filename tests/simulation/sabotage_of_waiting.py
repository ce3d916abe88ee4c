"""Guards of waiting: who waits for a dependency that is down has not tried."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from lumimd import events, fallback, pipeline
from lumimd.records import Visit
from tests.simulation.faults import Dependency
from tests.simulation.guard import Guard, put

TWO_HOURS: Final = 120.0


def _put_aside_with(used_a_try: bool) -> Callable[..., Any]:
    def put_aside(*args: Any, **more: Any) -> events.Event:
        event = _put_aside(*args, **more)
        if isinstance(event, events.SubmissionDeferred):
            return replace(event, used_a_try=used_a_try)
        return event

    return put_aside


async def _nobody_knows(*args: Any) -> None:
    return None


def _held_for_a_try(self: events.SubmissionHeld, visit: Visit, now: Any) -> dict[str, Any]:
    return {**_held(self, visit, now), "stage_tries": visit.stage_tries}


_put_aside = pipeline._put_aside
_held = events.SubmissionHeld.changes

WAITING: Final[Mapping[str, Guard]] = {
    "looking-uses-no-try": Guard(
        "who cannot look at the provider's list does not know that there is no transcript",
        put((pipeline, "_put_aside", _put_aside_with(True))),
    ),
    "ordering-uses-a-try": Guard(
        "the orders that one visit can cause are bounded",
        put((pipeline, "_put_aside", _put_aside_with(False))),
    ),
    "holding-gives-the-try-back": Guard(
        "waiting for a dependency that is down uses up no try",
        put((events.SubmissionHeld, "changes", _held_for_a_try)),
    ),
    "known-down-model": Guard(
        "an outage that few notice costs no visit its last try",
        put((fallback, "known_down", _nobody_knows)),
        level="none",
        outages=((Dependency.MODEL, TWO_HOURS),),
    ),
    "patience-begins-with-the-attempt": Guard(
        "a summary that is wanted a day later gets as many tries as any other",
        put((fallback, "_wanted_since", fallback._transcribed_at)),
    ),
}
