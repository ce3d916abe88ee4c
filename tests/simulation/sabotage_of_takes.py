"""Guards of visits that are recorded in several files."""

from collections.abc import Mapping
from typing import Any, Final

from lumimd.domain import events, state_machine
from lumimd.domain.audio import Audio
from lumimd.domain.events import submission, takes
from lumimd.domain.visit import Visit
from lumimd.pipeline import accept, collect
from tests.simulation.guard import Guard, put

_begun_with = submission.begun_with


def _begun_with_nothing(visit: Visit, *more: Any) -> dict[str, Any]:
    shown = ("source", "summary", "medications")
    return {**_begun_with(state_machine, *more), **dict.fromkeys(shown)}


def _any_file_is_the_recording(visit: Visit, audio: Audio) -> events.Event:
    if state_machine.audio is None:
        return events.AudioAccepted(None, audio)
    if audio.generation > state_machine.audio.generation:
        return events.AudioReplaced(None, audio)
    return events.AudioRepeated(None)


TAKES: Final[Mapping[str, Guard]] = {
    "results-stay-shown": Guard(
        "a newer file takes nothing away before it has brought something",
        put(
            (submission, "begun_with", _begun_with_nothing),
            (takes, "begun_with", _begun_with_nothing),
        ),
        level="takes",
    ),
    "files-are-takes": Guard(
        "a second file does not replace the first",
        put((accept, "audio_event", _any_file_is_the_recording)),
        level="takes",
    ),
    "one-file-is-not-the-visit": Guard(
        "the end of the work on one file is not the end of a visit of several",
        put((state_machine, "in_view_of", lambda visit, event: event)),
        level="takes",
    ),
    "takes-are-joined": Guard(
        "the words of a file stand beside those of the others",
        put((collect, "joined_takes", lambda visit, stored, heard: heard)),
        level="takes",
    ),
    "stopped-jobs-keep-their-places": Guard(
        "the job of a file that was stopped has its place until it ends",
        put((state_machine, "_effects_of", lambda told, transition: transition.effects)),
        level="stopped_takes",
    ),
}
