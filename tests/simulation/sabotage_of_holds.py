"""Guards for legal holds, and for restored backups."""

from collections.abc import Mapping
from typing import Any, Final

from lumimd.domain import state_machine
from lumimd.domain.audio import Audio
from lumimd.domain.commit import Conflict, Stored
from lumimd.domain.visit import Deletion, Visit
from lumimd.operations import after_restore
from lumimd.operations import legal_hold as operators_hold
from lumimd.pipeline import accept, commands, erase, legal_hold, reconcile
from tests.simulation.guard import Guard, put
from tests.simulation.store import Documents


def _ignore_hold(visit: Visit, audio: Audio) -> Any:
    return _audio_event(visit.model_copy(update={"legal_hold": False}), audio)


def _keep_event(visit: Visit, event: Any) -> Any:
    return event


def _stop_nothing(visit: Visit, held: Any) -> Any:
    return held


def _is_of_no_file(visit: Visit, job: Any) -> bool:
    return False


def _begin_once(self: Documents, read: Stored, receipt: Deletion, again: object = None) -> None:
    if again is not None:
        raise Conflict
    _begin(self, read, receipt)


def _release_without_work(*args: Any) -> Any:
    return _released(*args)[:1]


async def _protect_nothing(*args: Any, **more: Any) -> int:
    return 0


async def _no_remains(*args: Any) -> bool:
    return False


async def _not_erased(*args: Any) -> bool:
    return False


_audio_event, _begin = accept.audio_event, Documents.begin_deletion
_released = legal_hold.released

HOLDS: Final[Mapping[str, Guard]] = {
    "held-recordings-wait": Guard(
        "a new recording of a held visit replaces nothing",
        put(
            (accept, "audio_event", _ignore_hold),
            (state_machine, "under_hold", _keep_event),
        ),
        level="holding",
    ),
    "hold-stops-work": Guard(
        "work that is under way when a hold is set replaces nothing stored",
        put(
            (state_machine, "_held_now", _stop_nothing),
            (state_machine, "under_hold", _keep_event),
        ),
        level="holding",
    ),
    "held-visits-refuse": Guard(
        "no command changes a held visit",
        put((commands, "not_held", lambda visit: None)),
        level="holding",
    ),
    "released-work-follows": Guard(
        "work that waited for the release is done afterwards",
        put((legal_hold, "released", _release_without_work)),
        level="holding",
    ),
    "object-holds": Guard(
        "the bucket's lifecycle rule deletes no recording of a held visit",
        put(
            (legal_hold, "protect_recordings", _protect_nothing),
            (accept, "protect_recordings", _protect_nothing),
        ),
        level="holding",
    ),
    "copies-of-held-files-stay": Guard(
        "a file that waits for the release is not ordered again",
        put((reconcile, "_is_of_held_file", _is_of_no_file)),
        level="holding",
    ),
    "erased-with-the-release": Guard(
        "a held visit of an erased user is deleted at its release",
        put((operators_hold, "was_user_erased", _not_erased)),
        level="holding",
    ),
    "erasure-goes-on": Guard(
        "scheduled runs finish an account erasure that reached its time limit",
        put((erase, "user_of", lambda receipt: None)),
        level="holding",
    ),
    "restored-visits-go-again": Guard(
        "the receipt of an earlier deletion does not protect a restored visit",
        put((Documents, "begin_deletion", _begin_once)),
        level="holding",
    ),
    "restored-remains-go-again": Guard(
        "documents that were restored without their visit are deleted as well",
        put((erase, "delete_remains", _no_remains), (after_restore, "delete_remains", _no_remains)),
        level="holding",
    ),
}
