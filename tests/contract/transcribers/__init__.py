"""Each module starts one transcription provider for the contract suite and scripts its jobs.

Each module has `provided(request)`, an asynchronous context manager with a `Provider`.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from lumimd.domain.codes import ErrorCode
from lumimd.ports.transcriber import Failed, Running, Transcribed, Transcriber
from tests.support.services import transcript

OUTCOMES: Final[dict[str, Running | Transcribed | Failed]] = {
    "running": Running(),
    "transcribed": Transcribed(transcript()),
    "silent": Failed(ErrorCode.NO_SPEECH, is_transient=False),
    "too short": Failed(ErrorCode.AUDIO_TOO_SHORT, is_transient=False),
    "provider's fault": Failed(ErrorCode.TRANSCRIPTION_FAILED, is_transient=True),
}
"""Each outcome that a test can script for a job, with the state that the adapter must report."""


@dataclass
class Provider:
    """A transcriber under test; `will_be(visit_id, outcome)` scripts the next job of a visit."""

    transcriber: Transcriber
    will_be: Callable[[str, str], Awaitable[None]]
