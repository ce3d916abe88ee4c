"""Guards of the places at the provider, and of the line in front of them."""

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


def _taken_without_room(shard: Any, permit: Any, room: Any, now: Any) -> Any:
    return _taken(shard, permit, replace(room, permits=10**6, for_batches=10**6), now)


async def _save_document_whatever(
    self: SimulatedDocuments[Any], key: str, read_version: object, document: Any
) -> object:
    def effect() -> object:
        self.kept[key] = document, next(self._versions)
        return self.kept[key][1]

    return await self._through(f"save_{self._name}", effect)


async def _admits_everybody(self: Admission, visit: Visit) -> None:
    return None


async def _calls_nobody(self: Admission, services: Any) -> list[Stored]:
    return []


async def _runs_no_more(services: Any, visit: Visit | None) -> bool:
    return False


PLACES: Final[Mapping[str, Guard]] = {
    "places-are-counted": Guard(
        "a shard that is full takes nobody in",
        put((semaphore, "taken", _taken_without_room)),
    ),
    "places-by-precondition": Guard(
        "of two who want the last place one gets it",
        put((SimulatedDocuments, "save", _save_document_whatever)),
        level="crowded",
    ),
    "place-before-order": Guard(
        "who has no place orders nothing",
        put((Admission, "may_submit", _admits_everybody)),
    ),
    "abandoned-jobs-keep-their-place": Guard(
        "a job runs on, whether its visit still wants it or not",
        put((reclaim, "_runs", _runs_no_more)),
        level="fickle",
    ),
    "line-is-called": Guard(
        "who waits in line is called when a place is free",
        put((Admission, "admit_waiting", _calls_nobody)),
    ),
}
