"""Read the tracks of a Matroska file, and the blocks of its clusters."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from lumimd.adapters.measuring.ebml import elements, number, vint
from lumimd.adapters.measuring.recording import Recording

CLUSTER: Final = 0x1F43B675
_TIME, _GROUP, _BLOCK, _SIMPLE, _LASTS = 0xE7, 0xA0, 0xA1, 0xA3, 0x9B
_IN_CLUSTER: Final = frozenset(
    {_TIME, _GROUP, _SIMPLE, 0xA7, 0xAB, 0xBF, 0xEC, 0x5854, 0xAF, 0x58D7}
)
_NUMBER, _KIND, _DEFAULT, _CODEC, _AUDIO = 0xD7, 0x83, 0x23E383, 0x86, 0xE1
_HERTZ, _CHANNELS, _BITS = 0xB5, 0x9F, 0x6264
_SOUND: Final = 2
_LACED: Final = 6


@dataclass(frozen=True)
class Track:
    """A track; `frame_s` and `byte_s` are the durations of a frame and of a byte of PCM, or 0."""

    is_sound: bool
    frame_s: float = 0.0
    byte_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Block:
    """A block: its beginning and its duration (0: not given), in units of the file."""

    track: int
    at: int
    lasts: float


def track_entry(file: Recording, body: int, end: int) -> tuple[int, Track]:
    """Return the number of a track, and its entry."""
    inside = {kind: (begins, ends) for kind, begins, ends in elements(file, body, end)}
    fields = {kind: number(file, *inside[kind]) for kind in inside}
    track = Track(fields.get(_KIND) == _SOUND, fields.get(_DEFAULT, 0) / 1e9)
    if _CODEC in inside and _AUDIO in inside and file.at(inside[_CODEC][0], 6) == b"A_PCM/":
        track = Track(track.is_sound, track.frame_s, _byte_s(file, *inside[_AUDIO]))
    return fields.get(_NUMBER, 1), track


def _byte_s(file: Recording, body: int, end: int | None) -> float:
    hertz, channels, bits = 8_000.0, 1, 0
    for kind, begins, ends in elements(file, body, end or body):
        if kind == _HERTZ and ends is not None and ends - begins in (4, 8):
            width = ends - begins
            (hertz,) = struct.unpack(">f" if width == 4 else ">d", file.at(begins, width))
        elif kind == _CHANNELS:
            channels = number(file, begins, ends)
        elif kind == _BITS:
            bits = number(file, begins, ends)
    second = hertz * channels * bits / 8
    return 1 / second if second > 0 else 0.0


def cluster_time(file: Recording, place: int) -> int | None:
    """Return the time of the cluster with a mark at `place`; None if there is no cluster."""
    for kind, begins, _ in elements(file, place, file.size):
        if kind != CLUSTER:
            return None
        for child, body, stops in elements(file, begins, file.size):
            if child == _TIME and stops is not None and stops - body <= 8:
                return number(file, body, stops)
            if child not in _IN_CLUSTER or stops is None or child in (_SIMPLE, _GROUP):
                return None
        return None
    return None


def blocks(
    file: Recording, tracks: dict[int, Track], unit_s: float, place: int, end: int
) -> Iterator[Block]:
    """Yield the blocks in the cluster at `place`, as far as the file holds them.

    For PCM the last block may be partial.
    """
    time = cluster_time(file, place)
    _, begins, stops = next(elements(file, place, file.size))
    for kind, body, ends in elements(file, begins, min(end, stops or end)):
        if kind not in _IN_CLUSTER or ends is None:
            return
        lasts = 0
        if kind == _GROUP:
            inside = {k: (b, e) for k, b, e in elements(file, body, ends)}
            if _BLOCK not in inside:
                continue
            lasts = number(file, *inside[_LASTS]) if _LASTS in inside else 0
            body = inside[_BLOCK][0]
            ends = inside[_BLOCK][1] or ends
        elif kind != _SIMPLE:
            continue
        head = file.at(body, 12)
        name, width = vint(head, keep_marker=False)
        track = tracks.get(name) if name is not None else None
        if track is None or name is None or time is None:
            continue
        if ends > file.size and not track.byte_s:
            return
        relative, flags, more = struct.unpack(">hBB", head[width : width + 4])
        frames = more + 1 if flags & _LACED else 1
        size = ends - body - width - 3
        each = size * track.byte_s or frames * track.frame_s
        held = max(0.0, min(1.0, (file.size - body - width - 3) / size)) if size else 1.0
        yield Block(name, time + relative, (lasts or each / unit_s) * held)
