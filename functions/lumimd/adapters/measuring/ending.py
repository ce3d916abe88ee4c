"""Check that a recording is complete to its end."""

from typing import Final

from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import Permanent

TOLERANCE_S: Final = 2.0
"""The part of its announced duration that a file may lack before it counts as truncated."""


def whole(announced_s: float, held_s: float) -> float:
    """Return the announced duration, if the file holds all of it.

    Raises:
        Permanent: `audio_truncated`.
    """
    if held_s < announced_s - TOLERANCE_S:
        raise Permanent(ErrorCode.AUDIO_TRUNCATED)
    return announced_s
