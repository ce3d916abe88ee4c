"""Recognize the container of a file by its first bytes, and read the recording's duration."""

import math
import struct
from collections.abc import Callable
from typing import Final

from lumimd.adapters.measuring.amr import amr_seconds, is_amr
from lumimd.adapters.measuring.chunks import aiff_seconds, caf_seconds
from lumimd.adapters.measuring.flac import flac_seconds, tta_seconds
from lumimd.adapters.measuring.frame_headers import tag_bytes
from lumimd.adapters.measuring.frames import first_frame, framed_seconds
from lumimd.adapters.measuring.matroska import MARK, matroska_seconds
from lumimd.adapters.measuring.mp4 import KINDS, mp4_seconds
from lumimd.adapters.measuring.ogg import ogg_seconds
from lumimd.adapters.measuring.recording import Recording, TooCostly
from lumimd.adapters.measuring.wav import w64_seconds, wav_seconds
from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import Permanent

Reader = Callable[[Recording], float | None]

TAGS: Final = 4
"""The most ID3 tags before a recording; the reader skips each tag, however large."""

_W64: Final = bytes.fromhex("726966662e91cf11a5d628db04c10000")


def seconds_of(file: Recording) -> float | None:
    """Return the duration of a recording in seconds; None if it is too large to count.

    Raises:
        Permanent: `audio_unreadable` (not a recording, or damaged) or `audio_truncated`.
        TooCostly: the budget is used up.
    """
    try:
        reader = _reader_of(file)
    except TooCostly:  # a real recording needs few reads before its start
        reader = None
    if reader is None:
        raise Permanent(ErrorCode.AUDIO_UNREADABLE)
    try:
        seconds = reader(file)
    except (struct.error, IndexError, ArithmeticError, ValueError) as error:
        # A header contradicts itself, or ends too early.
        raise Permanent(ErrorCode.AUDIO_UNREADABLE) from error
    if seconds is not None and not math.isfinite(seconds):
        raise Permanent(ErrorCode.AUDIO_UNREADABLE)
    return seconds


def container_of(head: bytes) -> str | None:
    """Return the name of the container that begins with `head` (at least 40 bytes), or None.

    MP3 and AAC have no mark, so a file without a mark is read as frames of MP3 or AAC.
    """
    if head[4:8] in KINDS:
        return "mp4"
    if head[:4] in (b"RIFF", b"RF64", b"BW64", b"RIFX") and head[8:12] == b"WAVE":
        return "wav"
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return "aiff"
    if head.startswith(_W64):
        return "w64"
    if is_amr(head):
        return "amr"
    return next((name for mark, name in _MARKS.items() if head.startswith(mark)), None)


_MARKS: Final = {MARK: "matroska", b"OggS": "ogg", b"fLaC": "flac", b"caff": "caf", b"TTA1": "tta"}

_READERS: Final[dict[str, Reader]] = {
    "mp4": mp4_seconds,
    "wav": wav_seconds,
    "w64": w64_seconds,
    "aiff": aiff_seconds,
    "caf": caf_seconds,
    "amr": amr_seconds,
    "matroska": matroska_seconds,
    "ogg": ogg_seconds,
    "tta": tta_seconds,
}


def _reader_of(file: Recording) -> Reader | None:
    start = 0
    for _ in range(TAGS):
        tag = tag_bytes(file.at(start, 10))
        if not tag:
            break
        start += tag
    container = container_of(file.at(start, 40))
    if container == "flac":
        return lambda file: flac_seconds(file, start)
    if container is not None:
        return _READERS[container] if start == 0 else None
    row = first_frame(file, start)
    if row is None:
        return None
    frame_at, first = row
    return lambda file: framed_seconds(file, frame_at, first)
