"""Guards for the permits for provider jobs, and for the fair queue."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from lumimd.coordination.admission import reclaim, semaphore
from lumimd.coordination.admission.admit import Admission
from lumimd.domain.commit import Stored
from lumimd.domain.visit import Visit
from tests.simulation.gate import SimulatedDocuments
from tests.simulation.guard import Guard, put

_taken = semaphore.taken


def _take_without_limit(shard: Any, permit: Any, room: Any, now: Any) -> Any:
    return _taken(shard, permit, replace(room, permits=10**6, for_batches=10**6), now)


async def _save_document_unconditionally(
    self: SimulatedDocuments[Any], key: str, read_version: object, document: Any
) -> object:
    def effect() -> object:
        self.kept[key] = document, next(self._versions)
        return self.kept[key][1]

    return await self._through(f"save_{self._name}", effect)


async def _admit_all(self: Admission, visit: Visit) -> None:
    return None


async def _admit_none(self: Admission, services: Any) -> list[Stored]:
    return []


async def _has_ended(services: Any, visit: Visit | None) -> bool:
    return False


PLACES: Final[Mapping[str, Guard]] = {
    "places-are-counted": Guard(
        "a full shard grants no permit",
        put((semaphore, "taken", _take_without_limit)),
    ),
    "places-by-precondition": Guard(
        "of two concurrent takers of the last permit one gets it",
        put((SimulatedDocuments, "save", _save_document_unconditionally)),
        level="crowded",
    ),
    "place-before-order": Guard(
        "a visit without a permit orders nothing",
        put((Admission, "may_submit", _admit_all)),
    ),
    "abandoned-jobs-keep-their-place": Guard(
        "a job keeps its permit while it runs, even after its visit was replaced or deleted",
        put((reclaim, "_runs", _has_ended)),
        level="fickle",
    ),
    "line-is-called": Guard(
        "a visit in the fair queue is admitted when a permit is free",
        put((Admission, "admit_waiting", _admit_none)),
    ),
}
