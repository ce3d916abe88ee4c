"""An upload as its readers see it: bytes at an offset, and a budget."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

BLOCK: Final = 256 * 1024
"""Bytes per request while the readers read sequentially."""

PEEK: Final = 8 * 1024
"""Bytes per request after a jump: a header, and some bytes after it."""

_LOOKS_BETWEEN_CHECKS: Final = 64


class TooCostly(Exception):
    """The budget does not suffice to find the duration."""


@dataclass(frozen=True)
class Budget:
    """The limits of one measurement: seconds of CPU, bytes read, and jumps."""

    cpu_s: float
    bytes: int
    jumps: int


class Recording:
    """A recording of `size` bytes, read by `read(offset, length)`, which may return fewer bytes."""

    def __init__(self, read: Callable[[int, int], bytes], size: int, budget: Budget) -> None:
        self.size: Final = size
        self._read = read
        self._begins = 0
        self._window = b""
        self._ends_at_s = time.process_time() + budget.cpu_s
        self._bytes_left = budget.bytes
        self._jumps_left = budget.jumps
        self._looks = 0

    def at(self, offset: int, length: int) -> bytes:
        """Return the bytes from `offset` on; fewer than `length` if the file ends.

        Raises:
            TooCostly: the budget is used up.
        """
        self._looks += 1
        if self._looks % _LOOKS_BETWEEN_CHECKS == 0:
            self.check()
        begins = offset - self._begins
        if not 0 <= begins <= len(self._window) - length:
            self._fetch(offset, length)
            begins = 0
        return self._window[begins : begins + length]

    def blocks(self, offset: int, end: int, overlap: int = 0) -> "Blocks":
        """Iterate over the bytes from `offset` to `end`; blocks repeat the last `overlap` bytes."""
        return Blocks(self, offset, min(end, self.size), overlap)

    def check(self) -> None:
        """Raise `TooCostly` if the CPU time is used up."""
        if time.process_time() > self._ends_at_s:
            raise TooCostly

    def _fetch(self, offset: int, length: int) -> None:
        self.check()
        goes_on = self._begins <= offset <= self._begins + len(self._window) + PEEK
        if not goes_on:
            self._jumps_left -= 1
        wanted = max(0, min(max(length, BLOCK if goes_on else PEEK), self.size - offset))
        self._bytes_left -= wanted
        if self._jumps_left < 0 or self._bytes_left < 0:
            raise TooCostly
        self._begins = offset
        self._window = self._read(offset, wanted) if wanted else b""


class Blocks:
    """An iterator over `(offset, bytes)`."""

    def __init__(self, recording: Recording, offset: int, end: int, overlap: int) -> None:
        self._recording = recording
        self._next = offset
        self._end = end
        self._overlap = overlap

    def __iter__(self) -> "Blocks":
        return self

    def __next__(self) -> tuple[int, bytes]:
        offset = self._next
        block = self._recording.at(offset, min(BLOCK, self._end - offset))
        if len(block) <= self._overlap:
            raise StopIteration
        at_end = offset + len(block) >= self._end or len(block) < BLOCK
        self._next = self._end if at_end else offset + len(block) - self._overlap
        return offset, block
