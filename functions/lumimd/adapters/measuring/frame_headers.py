"""Read the headers of MP3 and ADTS frames, and of the ID3 tags between them."""

from collections.abc import Callable, Mapping
from typing import Final

Frame = tuple[int, int, int]
"""A frame: its bytes, its samples, and its samples per second."""

FrameAt = Callable[[bytes, int], Frame | None]
"""Returns the frame whose header is at that offset of the bytes, or None without a header."""

_MP3_RATES: Final = {
    3: (44_100, 48_000, 32_000),
    2: (22_050, 24_000, 16_000),
    0: (11_025, 12_000, 8_000),
}
_MP3_KBITS: Final = {
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_ADTS_RATES: Final = (
    *(96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025),
    *(8_000, 7_350),
)


def _mp3_frames() -> dict[int, Frame]:
    """Return every possible frame by the second and third byte of its header."""
    frames = {}
    for second in range(0xE0, 0x100):
        version, layer = second >> 3 & 3, 4 - (second >> 1 & 3)
        if version not in _MP3_RATES or layer == 4:
            continue
        samples = 384 if layer == 1 else 576 if layer == 3 and version != 3 else 1152
        for third in range(0x100):
            bitrate, rate, padding = third >> 4, third >> 2 & 3, third >> 1 & 1
            if bitrate in (0, 15) or rate == 3:
                continue
            hertz = _MP3_RATES[version][rate]
            bits = 1000 * _MP3_KBITS[version == 3, layer][bitrate - 1]
            if layer == 1:
                size = (12 * bits // hertz + padding) * 4
            else:
                size = samples // 8 * bits // hertz + padding
            frames[second << 8 | third] = (size, samples, hertz)
    return frames


_MP3_FRAMES: Final[Mapping[int, Frame]] = _mp3_frames()
_MP3_SIZES: Final = {
    second: [_MP3_FRAMES.get(second << 8 | third, (0, 0, 0))[0] for third in range(0x100)]
    for second in range(0xE1, 0x100, 2)
}


def mp3_frame(data: bytes, at: int) -> Frame | None:
    """Return the MPEG audio frame at an offset, of any version and layer, or None."""
    if data[at] != 0xFF:
        return None
    return _MP3_FRAMES.get(data[at + 1] << 8 | data[at + 2])


def adts_frame(data: bytes, at: int) -> Frame | None:
    """Return the ADTS frame of AAC at an offset, or None."""
    if data[at] != 0xFF or data[at + 1] & 0xF6 != 0xF0:
        return None
    rate = data[at + 2] >> 2 & 15
    size = (data[at + 3] & 3) << 11 | data[at + 4] << 3 | data[at + 5] >> 5
    if rate >= len(_ADTS_RATES) or size < 7:
        return None
    return size, 1024 * ((data[at + 6] & 3) + 1), _ADTS_RATES[rate]


def tag_bytes(head: bytes) -> int:
    """Return the length of the ID3v2 tag at the start of `head`; 0 without a tag."""
    if head[:3] != b"ID3" or len(head) < 10 or any(each & 0x80 for each in head[6:10]):
        return 0
    size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
    return 10 + size + (10 if head[5] & 0x10 else 0)


def adts_run(data: bytes, end: int) -> tuple[int, int, int]:
    """Count the frames like the first one; return it, their end, and the last header's frames."""
    rate, place, frames, blocks = data[2] & 0x3C, 0, 0, 0
    while place <= end and data[place] == 0xFF and data[place + 1] & 0xF6 == 0xF0:
        size = (data[place + 3] & 3) << 11 | data[place + 4] << 3 | data[place + 5] >> 5
        if size < 7 or data[place + 2] & 0x3C != rate:
            break
        blocks = (data[place + 6] & 3) + 1
        frames += blocks
        place += size
    return frames, place, blocks


def mp3_run(data: bytes, end: int) -> tuple[int, int, int]:
    """Count the frames like the first one; return it, their end, and the last header's frames."""
    version, rate, place, frames = data[1] & 0xFE, data[2] & 0x0C, 0, 0
    sizes = _MP3_SIZES[version | 1]
    while place <= end and data[place] == 0xFF and data[place + 1] & 0xFE == version:
        third = data[place + 2]
        size = sizes[third]
        if not size or third & 0x0C != rate:
            break
        frames += 1
        place += size
    return frames, place, 1
