"""Compute the duration of a track of a fragmented MP4."""

import struct
from collections.abc import Iterator, Mapping
from itertools import islice

from lumimd.adapters.measuring.mp4_boxes import boxes, numbers
from lumimd.adapters.measuring.recording import Recording


class Clock:
    """The beginning and the end of the fragments of a track, in units of the track."""

    def __init__(self, timescale: int, default: int) -> None:
        self.default = default
        self.has_begun = False
        self._timescale = timescale
        self._begins = 0
        self._ends = 0
        self._now = 0

    @property
    def seconds(self) -> float:
        """Return the time from the beginning of the first fragment to the end of the last."""
        return (self._ends - self._begins) / self._timescale if self._timescale else 0.0

    def go(self, begins: int | None, lasts: int) -> None:
        """Add a fragment that begins at `begins`, or at the end of the previous one."""
        start = self._now if begins is None else begins
        self._now = start + lasts
        self._begins = min(self._begins, start) if self.has_begun else start
        self._ends = max(self._ends, self._now)
        self.has_begun = True


def fragments(
    file: Recording, body: int, end: int, clocks: Mapping[int, Clock]
) -> Iterator[tuple[int, int | None, int]]:
    """Yield each fragment's track, beginning (None: the previous end) and duration."""
    for name, begins, ends in boxes(file, body, end):
        if name != b"traf":
            continue
        track, start, lasts, each = 0, None, 0, 0
        for kind, place, stops in boxes(file, begins, ends):
            if kind == b"tfhd":
                flags, track = struct.unpack(">II", file.at(place, 8))
                default = clocks[track].default if track in clocks else 0
                each = _default(file, place, flags) or default
            elif kind == b"tfdt":
                wide = file.at(place, 1) == b"\x01"
                start = int.from_bytes(file.at(place + 4, 8 if wide else 4))
            elif kind == b"trun" and track in clocks:
                lasts += _run(file, place, stops, each)
        if track in clocks and lasts:
            yield track, start, lasts


def _default(file: Recording, place: int, flags: int) -> int:
    """Return a sample's duration by the header of the fragment; 0 if the header has none."""
    if not flags & 0x8:
        return 0
    offset = place + 8 + (8 if flags & 0x1 else 0) + (4 if flags & 0x2 else 0)
    return int.from_bytes(file.at(offset, 4))


def _run(file: Recording, place: int, stops: int, each: int) -> int:
    """Return the duration of a run of samples."""
    flags, count = struct.unpack(">II", file.at(place, 8))
    if not flags & 0x100:
        return int(count * each)
    offset = place + 8 + (4 if flags & 0x1 else 0) + (4 if flags & 0x4 else 0)
    fields = 1 + sum(bool(flags & bit) for bit in (0x200, 0x400, 0x800))
    table = numbers(file, offset, min(stops, file.size), "I", count * fields)
    return sum(islice(table, 0, None, fields))
