"""Measure recordings made of chunks with a name and a size: AIFF and CAF; WAV is in `wav.py`."""

import struct
from collections.abc import Iterator
from typing import Final

from lumimd.adapters.measuring.ending import whole
from lumimd.adapters.measuring.recording import Recording
from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import Permanent

Chunk = tuple[bytes, int, int]
"""A chunk: its name, the offset of its content, and the announced length of its content."""

STREAMED_FROM: Final = 0x7FFF_0000
"""Sizes from which a size counts as unknown.

Recorders that cannot seek back write the largest possible size, or none.
"""

STREAMED_SHARE: Final = 200
"""A size over 200 times the bytes in the file counts as unknown, too.

Some recorders that cannot seek back write another large size, and no real upload is that truncated.
"""

CHUNKS: Final = 10_000
"""The most chunks before the sound; no recorder writes more."""

_W64_NAME: Final = 16

_UNPADDED: Final = {b"data", b"fact", b"LIST", b"SSND", b"COMM"}
"""Chunks that some recorders write directly after a chunk of odd size, without a pad byte."""

_AIFC_BLOCKS: Final = {b"ima4": (64, 34), b"GSM ": (160, 33), b"MAC3": (6, 2), b"MAC6": (6, 1)}
"""Codecs of AIFC with fixed blocks: samples and bytes per block."""


def aiff_seconds(file: Recording) -> float:
    """Return the duration of an AIFF or AIFC file."""
    form: tuple[float, float] | None = None
    sound: tuple[int, int] | None = None
    for name, offset, size in chunks(file, 12, ">4sI", even=True):
        if name == b"COMM":
            form = _frames_and_rate(file.at(offset, 22))
        elif name == b"SSND":
            sound = offset, size
        if form is not None and sound is not None:
            break
    if form is None or sound is None:
        raise nothing_there(form is not None)
    (seconds, byte_rate), (offset, size) = form, sound
    held = max(0, file.size - offset)
    if not seconds:  # the file was streamed: the sound continues to its end
        return max(0, held - 8) / byte_rate
    return whole(seconds, seconds * min(1.0, held / size if size else 0.0))


def _frames_and_rate(common: bytes) -> tuple[float, float]:
    """Return the seconds that an AIFF file announces, and its bytes per second."""
    channels, frames, bits = struct.unpack(">hIh", common[:8])
    rate = _extended(common[8:18])
    if rate <= 0 or channels <= 0:
        raise Permanent(ErrorCode.AUDIO_UNREADABLE)
    samples, block = _AIFC_BLOCKS.get(common[18:22], (1, -(-bits // 8)))
    return frames * samples / rate, rate / samples * block * channels


def caf_seconds(file: Recording) -> float:
    """Return the duration of a Core Audio file, with packets of fixed size or a packet table."""
    rate = packet_bytes = packet_frames = 0
    announced_s: float | None = None
    share: float | None = None
    for name, offset, size in chunks(file, 8, ">4sq", even=False):
        if name == b"desc":
            rate, packet_bytes, packet_frames = struct.unpack(">d8xII", file.at(offset, 24))
        elif name == b"pakt":
            packets, frames = struct.unpack(">qq", file.at(offset, 16))
            announced_s = (frames or packets * packet_frames) / rate
        elif name == b"data":
            held = max(0, file.size - offset - 4)
            if packet_bytes and packet_frames:
                second = packet_bytes / packet_frames * rate
                return held / second if size < 0 else _whole_of(size - 4, held, second)
            share = min(1.0, held / (size - 4)) if size > 4 else 1.0
        if announced_s is not None and share is not None:
            return whole(announced_s, announced_s * share)
    raise nothing_there(rate > 0)


def _whole_of(size: int, held: int, second: float) -> float:
    """Return the duration of `size` bytes, if the file holds them; `second` is bytes per second."""
    return whole(size / second, min(size, held) / second)


def chunks(file: Recording, offset: int, header: str, *, even: bool) -> Iterator[Chunk]:
    """Yield the chunks from `offset` on.

    In W64 a chunk's size includes its header, and is padded to eight bytes.
    """
    length = struct.calcsize(header)
    is_w64 = length > _W64_NAME
    for _ in range(CHUNKS):
        head = file.at(offset, length)
        if len(head) < length:
            return
        name, size = struct.unpack(header, head)
        size -= length if is_w64 else 0
        yield name, offset + length, size
        if size < 0:
            return
        offset += length + size
        if is_w64:
            offset += -size % 8
        elif even and size % 2 and file.at(offset, 4) not in _UNPADDED:
            offset += 1
    raise Permanent(ErrorCode.AUDIO_UNREADABLE)


def sound(
    file: Recording, offset: int, size: int, rate: float, streamed_from: int = STREAMED_FROM
) -> float:
    """Return the duration of `size` bytes of sound, or of the file's bytes if `size` is unknown."""
    if not rate:
        raise Permanent(ErrorCode.AUDIO_UNREADABLE)
    held = max(0, file.size - offset)
    is_streamed = size == 0 or (held < size and size >= streamed_from)
    if is_streamed or held < size / STREAMED_SHARE:
        return held / rate
    return _whole_of(size, held, rate)


def _extended(ten: bytes) -> float:
    """Read an 80-bit number of AIFF, of which 64 bits are the fraction."""
    exponent, fraction = struct.unpack(">HQ", ten)
    power = (exponent & 0x7FFF) - 16383 - 63
    return float(fraction) * 2.0**power if -200 < power < 200 else 0.0


def nothing_there(is_recording: bool) -> Permanent:
    """Return the error for a file without sound: truncated, or not a recording at all."""
    return Permanent(ErrorCode.AUDIO_TRUNCATED if is_recording else ErrorCode.AUDIO_UNREADABLE)
