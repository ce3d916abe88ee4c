"""Guards for recordings that kill the measuring process."""

from collections.abc import Mapping
from typing import Any, Final

from lumimd.domain import events
from lumimd.domain.visit import Visit
from tests.simulation.guard import Guard, put

_deferred = events.SubmissionDeferred.changes


def _measuring_deaths_uncounted(
    self: events.SubmissionDeferred, visit: Visit, now: Any
) -> dict[str, Any]:
    return {**_deferred(self, visit, now), "expired_leases": visit.expired_leases}


MEASURING: Final[Mapping[str, Guard]] = {
    "deaths-of-measuring-are-counted": Guard(
        "a recording that kills the measuring process is not opened again and again",
        put((events.SubmissionDeferred, "changes", _measuring_deaths_uncounted)),
        level="unmeasurable",
    ),
}
