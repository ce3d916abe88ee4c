"""Whether the end of a recording is there."""

from typing import Final

from lumimd.domain.errors import ErrorCode, Permanent

TOLERANCE_S: Final = 2.0
"""How much of its announced length a file may lack before it counts as cut off."""


def whole(announced_s: float, held_s: float) -> float:
    """The announced length, if the file holds it.

    Raises:
        Permanent: `audio_truncated`.
    """
    if held_s < announced_s - TOLERANCE_S:
        raise Permanent(ErrorCode.AUDIO_TRUNCATED)
    return announced_s
