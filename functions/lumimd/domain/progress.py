"""The progress of a visit, as its owner sees it: step, percentage and remaining seconds."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Step(StrEnum):
    """The steps of the work on a visit, in the order of the work."""

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
"""The percentage shown for each step; `transcribing` rises from 30 over 40 to 50 with the time."""

_TRANSCRIPTION_OVERHEAD_S: Final = 15.0
_TRANSCRIPTION_PER_AUDIO_SECOND: Final = 0.25
_SUMMARY_S: Final = 20.0


def expected_transcription_s(audio_s: float | None) -> float:
    """Return a generous linear estimate of the seconds from submission to transcript."""
    return _TRANSCRIPTION_OVERHEAD_S + _TRANSCRIPTION_PER_AUDIO_SECOND * (audio_s or 0.0)


def transcribing_percent(elapsed_s: float, audio_s: float | None) -> int:
    """Return 30, 40 or 50, for the first, second and third part of the expected time."""
    third = int(3 * elapsed_s / expected_transcription_s(audio_s))
    return PERCENT[Step.TRANSCRIBING] + 10 * max(0, min(2, third))


def seconds_remaining(step: Step, elapsed_s: float, audio_s: float | None) -> int | None:
    """Return the whole seconds until the visit is likely ready, at least 0; None while unknown.

    `elapsed_s` counts from the submission of the job and matters only while transcribing.
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
