"""Guards for progress: each transition of the transition table, and each status's wake-up."""

from collections.abc import Mapping
from typing import Any, Final

from lumimd.domain import events, state_machine
from lumimd.domain.commit import Stored
from lumimd.domain.visit import ProcessingStatus
from tests.simulation.faults import Dependency
from tests.simulation.guard import Guard, Remove, put
from tests.simulation.sabotage_of_waiting import TWO_HOURS
from tests.simulation.store import Documents


def _never_due(status: ProcessingStatus) -> Remove:
    real = Documents.due

    def due(self: Documents, *args: Any) -> list[Stored]:
        return [found for found in real(self, *args) if found.visit.processing_status is not status]

    return put((Documents, "due", due))


def _without(pair: tuple[ProcessingStatus, type[events.Event]]) -> Remove:
    rows = {key: row for key, row in state_machine.TRANSITIONS.items() if key != pair}
    return put(
        (state_machine, "TRANSITIONS", rows),
        (state_machine, "LATE_OR_REPEATED", state_machine.LATE_OR_REPEATED | {pair}),
    )


_MODEL_DOWN: Final[dict[str, Any]] = {"level": "none", "outages": ((Dependency.MODEL, TWO_HOURS),)}
_PROVIDER_DOWN: Final[dict[str, Any]] = {
    "level": "none",
    "outages": ((Dependency.TRANSCRIPTION, TWO_HOURS),),
}

_BREAKS_AT: Final[Mapping[type[events.Event], dict[str, Any]]] = {
    events.AudioAccepted: {"level": "impatient"},
    events.ConsentGiven: {"level": "consenting"},
    events.SubmissionHeld: _PROVIDER_DOWN,
    events.SubmissionQueued: {"level": "queueing"},
    events.SummaryDeferred: {"level": "repeating"},
    events.SummaryHeld: _MODEL_DOWN,
    events.TranscriptionGivenUp: {"level": "hung"},
    events.VisitExpired: {"level": "impatient"},
    events.JobCharged: {"level": "fruitless"},
    **{event: {"level": "takes"} for event in (events.TakeAccepted, events.TakeAdded)},
    **{event: {"level": "takes"} for event in events.MEANT},
    **{
        event: {"level": "holding"}
        for event in (
            *(events.HoldSet, events.HoldReleased, events.TakeHeld, events.SummaryResumed),
            *events.STOPPED_BY_HOLD,
        )
    },
}
"""Faults under which removing a transition breaks an invariant soonest (default: `heavy`)."""

SHOWN_BY_UNIT_TESTS: Final = (events.VisitDelayed, events.VisitPrioritized)
"""Events on which no invariant depends; test_overdue.py and test_urgent.py test them."""

MOVES: Final[Mapping[str, Guard]] = {
    **{
        f"wake-up-of-{status}": Guard(
            f"the scheduler resumes a visit after a message got lost while {status}",
            _never_due(status),
        )
        for status in ProcessingStatus
        if not status.is_terminal
    },
    **{
        f"transition-{source}-{event.name}": Guard(
            f"{event.name} while {source} changes the visit",
            _without((source, event)),
            **_BREAKS_AT.get(event, {}),
        )
        for source, event in state_machine.TRANSITIONS
        if event not in SHOWN_BY_UNIT_TESTS
    },
}
