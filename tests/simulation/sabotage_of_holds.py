"""Guards of legal holds, and of what a backup brings back."""

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


def _as_if_free(visit_: Visit, audio: Audio) -> Any:
    return _audio_event(visit_.model_copy(update={"legal_hold": False}), audio)


def _whatever_is_held(visit_: Visit, event: Any) -> Any:
    return event


def _nothing_is_stopped(visit_: Visit, held: Any) -> Any:
    return held


def _is_of_none(visit_: Visit, job: Any) -> bool:
    return False


def _once_for_all(self: Documents, read: Stored, receipt: Deletion, again: object = None) -> None:
    if again is not None:
        raise Conflict
    _begin(self, read, receipt)


def _released_and_that_is_all(*args: Any) -> Any:
    return _released(*args)[:1]


async def _not_protected(*args: Any, **more: Any) -> int:
    return 0


async def _no_remains(*args: Any) -> bool:
    return False


async def _not_erased(*args: Any) -> bool:
    return False


_audio_event, _begin = accept.audio_event, Documents.begin_deletion
_released = legal_hold.released

HOLDS: Final[Mapping[str, Guard]] = {
    "held-recordings-wait": Guard(
        "a recording that comes for a held visit replaces nothing",
        put(
            (accept, "audio_event", _as_if_free),
            (state_machine, "under_hold", _whatever_is_held),
        ),
        level="holding",
    ),
    "hold-stops-work": Guard(
        "work that is under way when a hold comes replaces nothing that is stored",
        put(
            (state_machine, "_held_now", _nothing_is_stopped),
            (state_machine, "under_hold", _whatever_is_held),
        ),
        level="holding",
    ),
    "held-visits-refuse": Guard(
        "no command changes a held visit",
        put((commands, "not_held", lambda visit: None)),
        level="holding",
    ),
    "released-work-follows": Guard(
        "what has waited for a release is worked on",
        put((legal_hold, "released", _released_and_that_is_all)),
        level="holding",
    ),
    "object-holds": Guard(
        "the bucket's own rule deletes no recording of a held visit",
        put(
            (legal_hold, "protect_recordings", _not_protected),
            (accept, "protect_recordings", _not_protected),
        ),
        level="holding",
    ),
    "copies-of-held-files-stay": Guard(
        "a file that waits for a release is not ordered again",
        put((reconcile, "_is_of_held_file", _is_of_none)),
        level="holding",
    ),
    "erased-with-the-release": Guard(
        "what a user had deleted goes when its hold ends",
        put((operators_hold, "was_user_erased", _not_erased)),
        level="holding",
    ),
    "erasure-goes-on": Guard(
        "what a request to delete everything had no time for goes by itself",
        put((erase, "user_of", lambda receipt: None)),
        level="holding",
    ),
    "restored-visits-go-again": Guard(
        "the receipt of an earlier deletion does not keep a restored visit",
        put((Documents, "begin_deletion", _once_for_all)),
        level="holding",
    ),
    "restored-remains-go-again": Guard(
        "documents that came back without their visit go as well",
        put((erase, "delete_remains", _no_remains), (after_restore, "delete_remains", _no_remains)),
        level="holding",
    ),
}
