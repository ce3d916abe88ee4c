"""Measure FLAC and the similar TTA by the samples in the header, confirmed by the last frame."""

import re
from typing import Final

from lumimd.adapters.measuring.ending import whole
from lumimd.adapters.measuring.recording import BLOCK, Recording
from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import Permanent

_SYNC: Final = re.compile(rb"\xff[\xf8\xf9]")
_LAST_BLOCK: Final = 0x80
_SAMPLES: Final = (0, 192, 576, 1152, 2304, 4608, 0, 0, *(256 << each for each in range(8)))

TAIL: Final = 1024 * 1024
"""The last frame begins within these last bytes, even with tags after the frame."""


def flac_seconds(file: Recording, start: int) -> float:
    """Return the duration of the FLAC file that begins at `start`.

    Raises:
        Permanent: `audio_truncated` or `audio_unreadable`.
    """
    info = file.at(start + 8, 34)
    rate = int.from_bytes(info[10:13]) >> 4
    announced = int.from_bytes(info[13:18]) & (1 << 36) - 1
    block = int.from_bytes(info[2:4])
    if not rate or len(info) < 34:
        raise Permanent(ErrorCode.AUDIO_UNREADABLE)
    found = _last_frame_ends(file, _behind_metadata(file, start + 4), block)
    if announced:
        return whole(announced / rate, found / rate)
    return found / rate


def _behind_metadata(file: Recording, offset: int) -> int:
    while offset < file.size:
        head = file.at(offset, 4)
        offset += 4 + int.from_bytes(head[1:4])
        if head[0] & _LAST_BLOCK:
            break
    return offset


def _last_frame_ends(file: Recording, first: int, block: int) -> int:
    """Return the number of samples up to the end of the last readable frame."""
    end = 0
    for offset, data in file.blocks(max(first, file.size - TAIL), file.size, overlap=16):
        for found in _SYNC.finditer(data, 0, max(0, len(data) - 16)):
            end = max(end, _frame_ends(data[found.start() : found.start() + 16], block))
        file.check()
        del offset
    return end


def _frame_ends(head: bytes, block: int) -> int:
    """Return the end of the frame with this header, in samples; 0 if it is not a header."""
    size_code, rate_code = head[2] >> 4, head[2] & 15
    if not size_code or rate_code == 15 or head[3] & 1 or head[3] >> 4 > 10:
        return 0
    number, place = _coded_number(head, 4)
    if number is None:
        return 0
    if size_code in (6, 7):
        width = size_code - 5
        samples = int.from_bytes(head[place : place + width]) + 1
        place += width
    else:
        samples = _SAMPLES[size_code]
    place += {12: 1, 13: 2, 14: 2}.get(rate_code, 0)
    if _crc8(head[:place]) != head[place]:
        return 0
    return (number if head[1] & 1 else number * block) + samples


def _coded_number(head: bytes, place: int) -> tuple[int | None, int]:
    """Read a number in the encoding of UTF-8; return it and the offset of its end."""
    lead = head[place]
    if lead < 0x80:
        return lead, place + 1
    more = 8 - (~lead & 0xFF).bit_length() - 1
    if not 1 <= more <= 6:
        return None, place
    number = lead & (1 << 6 - more) - 1
    for each in head[place + 1 : place + 1 + more]:
        number = number << 6 | each & 0x3F
    return number, place + 1 + more


def _crc8(data: bytes) -> int:
    crc = 0
    for each in data:
        crc ^= each
        for _ in range(8):
            crc = (crc << 1 ^ 0x07 if crc & 0x80 else crc << 1) & 0xFF
    return crc


def tta_seconds(file: Recording) -> float:
    """Return the duration of a TTA file.

    Raises:
        Permanent: `audio_truncated` or `audio_unreadable`.
    """
    head = file.at(0, 18)
    rate = int.from_bytes(head[10:14], "little")
    samples = int.from_bytes(head[14:18], "little")
    if not rate or len(head) < 18:
        raise Permanent(ErrorCode.AUDIO_UNREADABLE)
    frame = 256 * rate // 245
    frames = -(-samples // frame) if frame else 0
    offset = 22 + 4 * frames + 4
    held = 0
    sizes = file.at(22, min(4 * frames, BLOCK))
    for place in range(0, len(sizes) - 3, 4):
        offset += int.from_bytes(sizes[place : place + 4], "little")
        if offset > file.size:
            break
        held += frame
    else:
        held = samples
    return whole(samples / rate, held / rate)
