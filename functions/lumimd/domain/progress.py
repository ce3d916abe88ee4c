"""The progress of a visit, for the users who wait for it."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Step(StrEnum):
    """The steps of the work, in their order."""

    WAITING_FOR_AUDIO = "waiting_for_audio"
    AUDIO_RECEIVED = "audio_received"
    QUEUED = "queued"
    SUBMITTING = "submitting"
    TRANSCRIBING = "transcribing"
    TRANSCRIPT_READY = "transcript_ready"
    SUMMARIZING = "summarizing"
    PROVISIONAL = "provisional"
    COMPLETED = "completed"


PERCENT: Final[Mapping[Step, int]] = {
    Step.WAITING_FOR_AUDIO: 0,
    Step.AUDIO_RECEIVED: 10,
    Step.QUEUED: 10,
    Step.SUBMITTING: 20,
    Step.TRANSCRIBING: 30,
    Step.TRANSCRIPT_READY: 60,
    Step.SUMMARIZING: 70,
    Step.PROVISIONAL: 80,
    Step.COMPLETED: 100,
}
"""Fixed tens; `transcribing` moves through 30, 40 and 50 with the elapsed time."""

_TRANSCRIPTION_OVERHEAD_S: Final = 15.0
_TRANSCRIPTION_PER_AUDIO_SECOND: Final = 0.25
_SUMMARY_S: Final = 20.0


def expected_transcription_s(audio_s: float | None) -> float:
    """Usual seconds of a transcription from its submission: a generous linear estimate."""
    return _TRANSCRIPTION_OVERHEAD_S + _TRANSCRIPTION_PER_AUDIO_SECOND * (audio_s or 0.0)


def transcribing_percent(elapsed_s: float, audio_s: float | None) -> int:
    """30, 40 or 50, by thirds of the expected time; below the percentage of a transcript."""
    third = int(3 * elapsed_s / expected_transcription_s(audio_s))
    return PERCENT[Step.TRANSCRIBING] + 10 * max(0, min(2, third))


def seconds_remaining(step: Step, elapsed_s: float, audio_s: float | None) -> int | None:
    """Whole seconds until the visit is likely ready, never negative; None while unknown.

    `elapsed_s` counts from the submission and matters only while transcribing.
    """
    match step:
        case Step.COMPLETED:
            return 0
        case Step.TRANSCRIPT_READY | Step.SUMMARIZING:
            return int(_SUMMARY_S)
        case Step.TRANSCRIBING:
            return int(max(0.0, expected_transcription_s(audio_s) - elapsed_s) + _SUMMARY_S)
        case Step.SUBMITTING if audio_s is not None:
            return int(expected_transcription_s(audio_s) + _SUMMARY_S)
        case _:
            return None
