"""Measure WAV, with PCM and other codecs, and its forms for large files: RF64 and W64."""

import struct
from typing import Final

from lumimd.adapters.measuring.chunks import STREAMED_FROM, chunks, nothing_there, sound
from lumimd.adapters.measuring.frames import first_frame, framed_seconds
from lumimd.adapters.measuring.recording import Recording
from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import Permanent

_PCM: Final = {1, 3, 6, 7}
"""Codecs with samples of a fixed size (integers, floats, A-law, µ-law).

The header gives the rate of other codecs.
"""
_ADPCM: Final = {2, 0x11}
"""Codecs whose header gives the number of samples per block."""
_FRAMED: Final = {0x50, 0x55, 0x1600, 0x1610}
"""MP2, MP3 and ADTS: a recorder that does not know the size does not know the byte rate either."""
_EXTENSIBLE: Final = 0xFFFE


def wav_seconds(file: Recording) -> float:
    """Return the duration of a WAV file, including RF64 files over four gigabytes.

    Raises:
        Permanent: `audio_truncated` or `audio_unreadable`.
    """
    order = ">" if file.at(0, 4) == b"RIFX" else "<"
    size64, samples = 0, 0
    form: Form | None = None
    for name, offset, size in chunks(file, 12, f"{order}4sI", even=True):
        if name == b"ds64":
            (size64,) = struct.unpack("<Q", file.at(offset + 8, 8))
        elif name == b"fmt ":
            form = Form(file.at(offset, 40), order)
        elif name == b"fact":
            (samples,) = struct.unpack(f"{order}I", file.at(offset, 4))
        elif name == b"data" and form is not None:
            size = size64 if size64 and size == 0xFFFF_FFFF else size
            rate = form.bytes_a_second(samples, size) or _frames_bytes_a_second(file, offset)
            return sound(file, offset, size, rate)
    raise nothing_there(form is not None)


def w64_seconds(file: Recording) -> float:
    """Return the duration of a Wave64 file."""
    form: Form | None = None
    for name, offset, size in chunks(file, 40, "<16sQ", even=False):
        if name.startswith(b"fmt "):
            form = Form(file.at(offset, 40), "<")
        elif name.startswith(b"data") and form is not None:
            rate = form.bytes_a_second(0, size) or _frames_bytes_a_second(file, offset)
            return sound(file, offset, size, rate, streamed_from=1 << 62)
    raise nothing_there(form is not None)


class Form:
    """The format chunk of a WAV or W64 file."""

    def __init__(self, data: bytes, order: str) -> None:
        codec, channels, rate, byte_rate, align, bits = struct.unpack(f"{order}HHIIHH", data[:16])
        if codec == _EXTENSIBLE and len(data) >= 26:
            (codec,) = struct.unpack(f"{order}H", data[24:26])
        if not rate:
            raise Permanent(ErrorCode.AUDIO_UNREADABLE)
        self._is_pcm = codec in _PCM and bits > 0 and channels > 0
        self._sample_bytes = channels * -(-bits // 8)
        self._rate: int = rate
        self._byte_rate = byte_rate
        self._bit_rate = rate * channels * bits if bits <= 8 else 0  # 16 is the decoded width
        self._has_frames = codec in _FRAMED
        block = struct.unpack(f"{order}H", data[18:20])[0] if codec in _ADPCM else 0
        self._block_rate = rate * align / block if block else 0.0

    def bytes_a_second(self, samples: int, size: int) -> float:
        """Return the byte rate of sound in this format, if `size` bytes hold `samples` samples.

        Returns 0 if only the frames of the sound give the rate.
        """
        if self._is_pcm:
            return float(self._rate * self._sample_bytes)
        has_size = 0 < size < STREAMED_FROM
        if has_size and 0 < samples < STREAMED_FROM:
            return size / samples * self._rate
        if self._has_frames and not (has_size and self._byte_rate):
            return 0.0
        return float(self._byte_rate or self._block_rate or self._bit_rate / 8)


def _frames_bytes_a_second(file: Recording, offset: int) -> float:
    """Return the byte rate of the MP3 or ADTS from `offset` on; 0 if there is none."""
    row = first_frame(file, offset)
    seconds = framed_seconds(file, *row) if row else 0.0
    return max(0, file.size - offset) / seconds if seconds else 0.0
