"""Guards for visits with several recorded files."""

from collections.abc import Mapping
from typing import Any, Final

from lumimd.domain import events, state_machine
from lumimd.domain.audio import Audio
from lumimd.domain.events import submission, takes
from lumimd.domain.visit import Visit
from lumimd.pipeline import accept, collect
from tests.simulation.guard import Guard, put

_begun_with = submission.begun_with


def _begin_without_results(visit: Visit, *more: Any) -> dict[str, Any]:
    shown = ("source", "summary", "medications")
    return {**_begun_with(visit, *more), **dict.fromkeys(shown)}


def _treat_any_file_as_the_first(visit: Visit, audio: Audio) -> events.Event:
    if visit.audio is None:
        return events.AudioAccepted(None, audio)
    if audio.generation > visit.audio.generation:
        return events.AudioReplaced(None, audio)
    return events.AudioRepeated(None)


TAKES: Final[Mapping[str, Guard]] = {
    "results-stay-shown": Guard(
        "results stay shown until a newer file has replaced them",
        put(
            (submission, "begun_with", _begin_without_results),
            (takes, "begun_with", _begin_without_results),
        ),
        level="takes",
    ),
    "files-are-takes": Guard(
        "a second file does not replace the first",
        put((accept, "audio_event", _treat_any_file_as_the_first)),
        level="takes",
    ),
    "one-file-is-not-the-visit": Guard(
        "a visit of several files goes on after the work on one file has ended",
        put((state_machine, "in_view_of", lambda visit, event: event)),
        level="takes",
    ),
    "takes-are-joined": Guard(
        "the transcript joins the words of all files",
        put((collect, "joined_takes", lambda visit, stored, heard: heard)),
        level="takes",
    ),
    "stopped-jobs-keep-their-places": Guard(
        "the job of a stopped file keeps its permit until it ends",
        put((state_machine, "_effects_of", lambda event, transition: transition.effects)),
        level="stopped_takes",
    ),
}
