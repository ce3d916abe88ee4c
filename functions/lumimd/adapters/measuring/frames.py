"""Measure recordings that are frames without a total length: MP3 and ADTS (AAC).

FFmpeg guesses their duration from the bit rate of the first seconds, and a silent beginning makes
the guess wrong by any factor. So these readers count the frames.
"""

import re
from collections import Counter
from typing import Final

from lumimd.adapters.measuring.ending import TOLERANCE_S
from lumimd.adapters.measuring.frame_headers import (
    FrameAt,
    adts_frame,
    adts_run,
    mp3_frame,
    mp3_run,
    tag_bytes,
)
from lumimd.adapters.measuring.recording import BLOCK, Recording
from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import Permanent

HEADER: Final = 9
"""The bytes that suffice to recognize a frame."""

SURE: Final = 3
"""The frames in a row that prove a recording; fewer suffice at the end of the file."""

SEARCHED: Final = 64 * 1024
"""The first frame begins within these first bytes."""

GAP: Final = 1024 * 1024
"""The longest damage inside of a recording; after a longer one the bytes count as no sound."""

_TEXT: Final = re.compile(rb"[\t\n\r -~]{16}")
"""Sound may begin with a part of a frame, but not with text, which may be a playlist."""

_MP3_SYNC: Final = re.compile(rb"\xff[\xe2-\xff]")
_ADTS_SYNC: Final = re.compile(rb"\xff[\xf0\xf1\xf8\xf9]")


def first_frame(file: Recording, start: int) -> tuple[FrameAt, int] | None:
    """Return the kind and the offset of the first frame if `file` is MP3 or ADTS, or None."""
    data = file.at(start, SEARCHED)
    if data.startswith(b"\0"):
        start = _behind_zeros(file, start)
        data = file.at(start, SEARCHED)
    if _TEXT.match(data):
        return None
    for frame_at, sync in ((adts_frame, _ADTS_SYNC), (mp3_frame, _MP3_SYNC)):
        for found in sync.finditer(data):
            if _is_row(file, frame_at, start + found.start()):
                return frame_at, start + found.start()
    return None


def _behind_zeros(file: Recording, start: int) -> int:
    """Return the end of the zeros that some recorders write before the first frame."""
    for begins, data in file.blocks(start, start + GAP):
        if rest := data.lstrip(b"\0"):
            return begins + len(data) - len(rest)
    return start


def _is_row(file: Recording, frame_at: FrameAt, offset: int) -> bool:
    """Return whether `SURE` frames in a row begin there, or frames up to the end of the file."""
    hertz = 0
    for count in range(SURE):
        header = file.at(offset, HEADER + 1)
        if len(header) <= HEADER or tag_bytes(header) or header.startswith(b"TAG"):
            return count > 0 and offset <= file.size
        frame = frame_at(header, 0)
        if frame is None or hertz not in (0, frame[2]):
            return False
        hertz = frame[2]
        offset += frame[0]
    return True


def framed_seconds(file: Recording, frame_at: FrameAt, offset: int) -> float:
    """Return the duration of all frames from `offset` on, even of several joined recordings.

    Raises:
        Permanent: `audio_truncated`, if a header announces more frames than the file has.
    """
    announced = _announced_frames(file, offset) if frame_at is mp3_frame else 0
    if announced:
        frame = frame_at(file.at(offset, HEADER), 0)
        offset += frame[0] if frame else 0
    counts = _counted(file, frame_at, offset)
    if sum(counts.values()) < announced and _lacks(announced, counts):
        raise Permanent(ErrorCode.AUDIO_TRUNCATED)
    return sum(count * samples / hertz for (samples, hertz), count in counts.items())


def _lacks(announced: int, counts: Counter[tuple[int, int]]) -> bool:
    samples, hertz = max(counts, key=counts.__getitem__, default=(1152, 44_100))
    return (announced - sum(counts.values())) * samples / hertz > TOLERANCE_S


def _counted(file: Recording, frame_at: FrameAt, offset: int) -> Counter[tuple[int, int]]:
    """Return the number of whole frames for each (samples, samples per second)."""
    counts: Counter[tuple[int, int]] = Counter()
    while offset + HEADER <= file.size:
        data = file.at(offset, BLOCK)
        frame = frame_at(data, 0)
        if frame is None:
            found = _next_row(file, frame_at, offset)
            if found is None:
                break
            offset = found
            continue
        run = adts_run if frame_at is adts_frame else mp3_run
        frames, place, last = run(data, len(data) - HEADER)
        offset += place
        if offset > file.size:  # the last frame is truncated
            frames -= last
        counts[1024 if frame_at is adts_frame else frame[1], frame[2]] += frames
    return counts


def _next_row(file: Recording, frame_at: FrameAt, offset: int) -> int | None:
    """Return the offset at which frames continue after a tag or damage, or None."""
    while tag := tag_bytes(file.at(offset, 10)):
        offset += tag
    if _is_row(file, frame_at, offset):
        return offset
    sync = _ADTS_SYNC if frame_at is adts_frame else _MP3_SYNC
    for begins, data in file.blocks(offset, offset + GAP, overlap=1):
        for found in sync.finditer(data):
            if _is_row(file, frame_at, begins + found.start()):
                return begins + found.start()
        file.check()
    return None


def _announced_frames(file: Recording, offset: int) -> int:
    """Return the frames that a Xing, Info or VBRI header announces; 0 without a credible header.

    The header also announces the bytes of the frames: a file that has these bytes is complete.
    """
    head = file.at(offset, 200)
    for mark in (b"Xing", b"Info"):
        place = head.find(mark)
        if place >= 0:
            flags = int.from_bytes(head[place + 4 : place + 8])
            frames = int.from_bytes(head[place + 8 : place + 12]) if flags & 1 else 0
            behind = place + 8 + (4 if flags & 1 else 0)
            size = int.from_bytes(head[behind : behind + 4]) if flags & 2 else 0
            return _believed(file, offset, frames, size) or 1
    if head[36:40] == b"VBRI":
        size, frames = int.from_bytes(head[46:50]), int.from_bytes(head[50:54])
        return _believed(file, offset, frames, size) or 1
    return 0


def _believed(file: Recording, offset: int, frames: int, size: int) -> int:
    return 0 if size and offset + size <= file.size else frames
