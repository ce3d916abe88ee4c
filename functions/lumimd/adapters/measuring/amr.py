"""AMR, the format of older phones: a sequence of frames of twenty milliseconds."""

from typing import Final

from lumimd.adapters.measuring.recording import BLOCK, Recording

_BYTES: Final = {
    b"#!AMR\n": (13, 14, 16, 18, 20, 21, 27, 32, 6, 0, 0, 0, 0, 0, 0, 1),
    b"#!AMR-WB\n": (18, 24, 33, 37, 41, 47, 51, 59, 61, 6, 0, 0, 0, 0, 1, 1),
}
_MARK: Final = ord("#")
FRAME_S: Final = 0.020


def amr_seconds(file: Recording) -> float:
    """Return the duration of an AMR file, narrow or wide band."""
    magic = next(each for each in _BYTES if file.at(0, len(each)) == each)
    sizes, offset, frames = _BYTES[magic], len(magic), 0
    while offset < file.size:
        data = file.at(offset, BLOCK)
        place = 0
        while place < len(data):
            # Another recording begins here.
            if data[place] == _MARK and data.startswith(magic, place):
                place += len(magic)
                continue
            size = sizes[data[place] >> 3 & 15]
            if not size or offset + place + size > file.size:
                return frames * FRAME_S
            frames += 1
            place += size
        offset += place
    return frames * FRAME_S


def is_amr(head: bytes) -> bool:
    """Return whether a file begins with the mark of AMR."""
    return any(head.startswith(each) for each in _BYTES)
