"""Read the boxes of an MP4 file, and the tables in them."""

import struct
from collections.abc import Iterator

from lumimd.adapters.measuring.recording import BLOCK, Recording

Box = tuple[bytes, int, int]
"""A box: its name, and the offsets where its content begins and ends (or should end)."""


def boxes(file: Recording, offset: int, end: int) -> Iterator[Box]:
    """Yield the boxes between two offsets."""
    while offset + 8 <= min(end, file.size):
        head = file.at(offset, 16)
        size, name = struct.unpack(">I4s", head[:8])
        body = offset + 8
        if size == 1 and len(head) == 16:
            size, body = struct.unpack(">Q", head[8:])[0], body + 8
        elif size == 0:
            size = end - offset
        if size < body - offset:
            return
        yield name, body, offset + size
        offset += size


def numbers(file: Recording, offset: int, end: int, kind: str, count: int) -> Iterator[int]:
    """Yield a table of numbers of one width; the table ends with its box at the latest."""
    width = struct.calcsize(f">{kind}")
    end = min(end, offset + width * count)
    while offset < end:
        block = file.at(offset, min(BLOCK, end - offset))
        block = block[: len(block) // width * width]
        if not block:
            return
        yield from struct.unpack(f">{len(block) // width}{kind}", block)
        offset += len(block)
        file.check()
