"""Guards of recordings that cannot be measured."""

from collections.abc import Mapping
from typing import Any, Final

from lumimd.domain import events
from lumimd.domain.visit import Visit
from tests.simulation.guard import Guard, put

_deferred = events.SubmissionDeferred.changes


def _deaths_of_measuring_uncounted(
    self: events.SubmissionDeferred, visit: Visit, now: Any
) -> dict[str, Any]:
    return {**_deferred(self, visit, now), "expired_leases": visit.expired_leases}


MEASURING: Final[Mapping[str, Guard]] = {
    "deaths-of-measuring-are-counted": Guard(
        "a recording that kills the process that measures it is not opened for ever",
        put((events.SubmissionDeferred, "changes", _deaths_of_measuring_uncounted)),
        level="unmeasurable",
    ),
}
