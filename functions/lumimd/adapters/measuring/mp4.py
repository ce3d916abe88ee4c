"""Measure MP4 and QuickTime (m4a, mp4, 3gp, mov), written at once or in fragments."""

import struct
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from lumimd.adapters.measuring.ending import whole
from lumimd.adapters.measuring.mp4_boxes import boxes, numbers
from lumimd.adapters.measuring.mp4_fragments import Clock, fragments
from lumimd.adapters.measuring.mp4_track import Track
from lumimd.adapters.measuring.recording import Recording
from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import Permanent

KINDS: Final = frozenset(
    {b"ftyp", b"moov", b"moof", b"mdat", b"styp", b"sidx", b"free", b"skip", b"wide", b"pnot"}
)
"""Possible types of the first box of a file."""


@dataclass
class Movie:
    """The index of a file; `announced` is the duration of all fragments, if the file gives it."""

    tracks: list[Track] = field(default_factory=list)
    is_fragmented: bool = False
    announced: int = 0
    timescale: int = 0
    defaults: dict[int, int] = field(default_factory=dict)


def mp4_seconds(file: Recording) -> float:
    """Return the duration of the longest track of sound.

    Raises:
        Permanent: `audio_truncated` or `audio_unreadable`.
    """
    movie: Movie | None = None
    clocks: dict[int, Clock] = {}
    for name, body, end in boxes(file, 0, file.size):
        if name == b"moov" and movie is None:
            if end > file.size:
                break
            movie = _movie(file, body, end)
            clocks = {
                track.number: Clock(track.timescale, movie.defaults.get(track.number, 0))
                for track in movie.tracks
            }
        elif name == b"moof" and movie is not None and end <= file.size:
            _, _, sound_ends = next(boxes(file, end, file.size), (b"", end, end))
            held = min(1.0, (file.size - end) / (sound_ends - end)) if sound_ends > end else 0.0
            for number, start, lasts in fragments(file, body, end, clocks):
                clocks[number].go(start, round(lasts * held))
    if movie is None:
        raise Permanent(ErrorCode.AUDIO_TRUNCATED)
    if not movie.tracks:
        raise Permanent(ErrorCode.AUDIO_UNREADABLE)
    return max(_length(file, movie, track, clocks[track.number]) for track in movie.tracks)


def _length(file: Recording, movie: Movie, track: Track, clock: Clock) -> float:
    if not track.timescale:
        raise Permanent(ErrorCode.AUDIO_UNREADABLE)
    indexed = track.seconds
    if indexed:
        whole(indexed, indexed * track.held(file))
    if not movie.is_fragmented:
        return track.heard(movie.timescale)
    if movie.announced and movie.timescale:
        whole(movie.announced / movie.timescale, indexed + clock.seconds)
    if not indexed and not clock.has_begun:
        raise Permanent(ErrorCode.AUDIO_TRUNCATED)
    return indexed + clock.seconds


def _movie(file: Recording, body: int, end: int) -> Movie:
    movie = Movie()
    for name, begins, ends in boxes(file, body, end):
        if name == b"trak":
            track = Track()
            _read_track(file, name, begins, ends, track)
            if track.is_sound:
                movie.tracks.append(track)
        elif name == b"mvhd":
            movie.timescale = _scale_and_duration(file, begins)[0]
        elif name == b"mvex":
            movie.is_fragmented = True
            for kind, place, _ in boxes(file, begins, ends):
                if kind == b"mehd":
                    movie.announced = _version_wide(file, place, 4)
                elif kind == b"trex":
                    number, _, default = struct.unpack(">III", file.at(place + 4, 12))
                    movie.defaults[number] = default
    return movie


_INSIDE: Final = {b"trak": b"mdia", b"mdia": b"minf", b"minf": b"stbl"}


def _read_track(file: Recording, parent: bytes, body: int, end: int, track: Track) -> None:
    for name, begins, ends in boxes(file, body, end):
        if name == _INSIDE.get(parent) or name == b"edts":
            _read_track(file, name, begins, ends, track)
        elif name == b"elst":
            track.edits = list(_edits(file, begins, ends))
        elif name == b"tkhd":
            place = begins + (20 if file.at(begins, 1) == b"\x01" else 12)
            track.number = int.from_bytes(file.at(place, 4))
        elif name == b"mdhd":
            track.timescale = _scale_and_duration(file, begins)[0]
        elif name == b"hdlr":
            track.is_sound = track.is_sound or file.at(begins + 8, 4) == b"soun"
        elif name == b"stts":
            track.duration += sum(count * each for count, each in _rows(file, begins, ends, 2))
        elif name == b"stsc":
            track.runs = [(first, each) for first, each, _ in _rows(file, begins, ends, 3)]
        elif name == b"stsz":
            track.size, count = struct.unpack(">II", file.at(begins + 4, 8))
            track.sizes = begins + 12, ends, count
        elif name in (b"stco", b"co64"):
            kind = "I" if name == b"stco" else "Q"
            count = int.from_bytes(file.at(begins + 4, 4))
            track.chunks = array("Q", numbers(file, begins + 8, ends, kind, count))


def _edits(file: Recording, body: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the rows of an edit list: the duration of each edit, and its beginning in the track."""
    wide = file.at(body, 1) == b"\x01"
    row = struct.Struct(">Qq4x" if wide else ">Ii4x")
    count = int.from_bytes(file.at(body + 4, 4))
    for place in range(body + 8, min(end, body + 8 + count * row.size), row.size):
        yield row.unpack(file.at(place, row.size))


def _scale_and_duration(file: Recording, body: int) -> tuple[int, int]:
    wide = file.at(body, 1) == b"\x01"
    data = file.at(body + (20 if wide else 12), 12)
    scale, duration = struct.unpack(">IQ" if wide else ">II", data[: 12 if wide else 8])
    return scale, duration


def _version_wide(file: Recording, body: int, offset: int) -> int:
    """Read a number that has double width in version 1 of a box."""
    return int.from_bytes(file.at(body + offset, 8 if file.at(body, 1) == b"\x01" else 4))


def _rows(file: Recording, body: int, end: int, width: int) -> Iterator[tuple[int, ...]]:
    """Yield the rows of a table of numbers, which begins with their count."""
    count = int.from_bytes(file.at(body + 4, 4))
    table = numbers(file, body + 8, end, "I", width * count)
    yield from zip(*[table] * width, strict=False)
