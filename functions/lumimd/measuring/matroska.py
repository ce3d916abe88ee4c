"""WebM and Matroska; one recording, or several joined one after the other.

A browser writes no length and no sizes. So the clusters are looked for by their mark, and only the
first and the last of them are read.
"""

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from lumimd.errors import ErrorCode, Permanent
from lumimd.measuring.ending import whole
from lumimd.measuring.recording import Recording

MARK: Final = b"\x1aE\xdf\xa3"
_CLUSTER: Final = b"\x1fC\xb6u"
_LONGEST_MARK: Final = 4
_SEGMENT, _INFO, _TRACKS, _TRACK = 0x18538067, 0x1549A966, 0x1654AE6B, 0xAE
_TIME, _GROUP, _BLOCK, _SIMPLE, _LASTS = 0xE7, 0xA0, 0xA1, 0xA3, 0x9B
_IN_CLUSTER: Final = frozenset(
    {_TIME, _GROUP, _SIMPLE, 0xA7, 0xAB, 0xBF, 0xEC, 0x5854, 0xAF, 0x58D7}
)
_SOUND: Final = 2

COUNT_UP_TO_BYTES: Final = 512 * 1024**2
"""Up to this size a file is read to its end; the length that a larger one announces is believed."""

Element = tuple[int, int, int | None]
"""Its id, where its content begins and ends; None where it does not say."""


@dataclass
class Part:
    """One recording: the values of its header, and its clusters as (place, time)."""

    unit_s: float = 0.001
    announced: float | None = None
    sounds: dict[int, int] = field(default_factory=dict)
    first: tuple[int, int] | None = None
    last: tuple[int, int] | None = None


def matroska_seconds(file: Recording) -> float | None:
    """The lengths of all recordings in the file together; None where that is too much to read.

    Raises:
        Permanent: `audio_truncated` or `audio_unreadable`.
    """
    if not _is_header(file, 0):
        raise Permanent(ErrorCode.AUDIO_UNREADABLE)
    if file.size > COUNT_UP_TO_BYTES:
        part = _part(file, 0)
        announced = part.announced * part.unit_s if part.announced else None
        return announced if announced and math.isfinite(announced) else None
    total = 0.0
    parts: list[Part] = []
    for place, mark in _marks(file):
        if mark == MARK and _is_header(file, place):
            total += sum(_length(file, each, place) for each in parts)
            parts = [_part(file, place)]
        elif mark == _CLUSTER and (time := _cluster_time(file, place)) is not None:
            part = parts[0]
            part.first = part.first or (place, time)
            part.last = place, time
    return total + sum(_length(file, each, file.size) for each in parts)


def _length(file: Recording, part: Part, end: int) -> float:
    if not part.sounds:
        raise Permanent(ErrorCode.AUDIO_UNREADABLE)
    announced_s = part.announced * part.unit_s if part.announced is not None else None
    if announced_s is not None and announced_s < 0:
        return announced_s
    starts = [at for at, _ in _blocks(file, part, part.first, end)]
    ends = list(_blocks(file, part, part.last, end))
    begins = min(starts, default=0)
    ends_at = max((at + lasts for at, lasts in ends), default=begins)
    if len(ends) > 1 and not ends[-1][1]:  # the last block lasts as long as the one before
        ends_at += max(0, ends[-1][0] - ends[-2][0])
    if announced_s is not None and math.isfinite(announced_s):
        whole(announced_s, ends_at * part.unit_s)
    return (ends_at - begins) * part.unit_s


def _marks(file: Recording) -> Iterator[tuple[int, bytes]]:
    for begins, data in file.blocks(0, file.size, overlap=_LONGEST_MARK - 1):
        found = []
        for mark in (MARK, _CLUSTER):
            place = data.find(mark)
            while place >= 0:
                found.append((begins + place, mark))
                place = data.find(mark, place + 1)
        yield from sorted(found)
        file.check()


def _is_header(file: Recording, place: int) -> bool:
    """Whether a recording begins there, and not only bytes that look like it."""
    head = file.at(place, 80)
    return head[:4] == MARK and b"\x42\x82" in head and (b"webm" in head or b"matroska" in head)


def _part(file: Recording, place: int) -> Part:
    part = Part()
    for element, begins, ends in _elements(file, place, file.size):
        if element == _SEGMENT:
            for kind, body, stops in _elements(file, begins, file.size):
                if kind == int.from_bytes(_CLUSTER):
                    return part
                if kind == _INFO and stops is not None:
                    _read_info(file, body, stops, part)
                elif kind == _TRACKS and stops is not None:
                    _read_tracks(file, body, stops, part)
            return part
        if ends is None:
            break
    return part


def _read_info(file: Recording, body: int, end: int, part: Part) -> None:
    for kind, begins, ends in _elements(file, body, end):
        if kind == 0x2AD7B1:
            part.unit_s = (_number(file, begins, ends) or 1_000_000) / 1e9
        elif kind == 0x4489 and ends is not None and ends - begins in (4, 8):
            data = file.at(begins, ends - begins)
            part.announced = struct.unpack(">f" if len(data) == 4 else ">d", data)[0]


def _read_tracks(file: Recording, body: int, end: int, part: Part) -> None:
    for kind, begins, ends in _elements(file, body, end):
        if kind != _TRACK or ends is None:
            continue
        fields = {k: _number(file, b, e) for k, b, e in _elements(file, begins, ends)}
        if fields.get(0x83) == _SOUND:
            part.sounds[fields.get(0xD7, 1)] = fields.get(0x23E383, 0)


def _cluster_time(file: Recording, place: int) -> int | None:
    """The time of the cluster whose mark is there; None where it is no cluster."""
    for kind, begins, _ in _elements(file, place, file.size):
        if kind != int.from_bytes(_CLUSTER):
            return None
        for child, body, stops in _elements(file, begins, file.size):
            if child == _TIME and stops is not None and stops - body <= 8:
                return _number(file, body, stops)
            if child not in _IN_CLUSTER or stops is None or child in (_SIMPLE, _GROUP):
                return None
        return None
    return None


def _blocks(
    file: Recording, part: Part, cluster: tuple[int, int] | None, end: int
) -> Iterator[tuple[int, float]]:
    """When the blocks of sound of a cluster begin, and how long each says that it lasts."""
    if cluster is None:
        return
    place, time = cluster
    (_, begins, stops), *_ = [*_first(_elements(file, place, file.size))]
    for kind, body, ends in _elements(file, begins, min(end, stops or end)):
        if kind not in _IN_CLUSTER or ends is None:
            return
        lasts = 0
        if kind == _GROUP:
            inside = {k: (b, e) for k, b, e in _elements(file, body, ends)}
            if _BLOCK not in inside:
                continue
            if _LASTS in inside:
                lasts = _number(file, *inside[_LASTS])
            body = inside[_BLOCK][0]
        elif kind != _SIMPLE:
            continue
        if ends > file.size:
            return
        track, width = _vint(file.at(body, 8), keep_marker=False)
        if track in part.sounds:
            (relative,) = struct.unpack(">h", file.at(body + width, 2))
            yield time + relative, lasts or part.sounds[track] / 1e9 / part.unit_s


def _first(elements: Iterator[Element]) -> Iterator[Element]:
    for element in elements:
        yield element
        return


def _elements(file: Recording, offset: int, end: int) -> Iterator[Element]:
    while offset < min(end, file.size):
        head = file.at(offset, 12)
        kind, width = _vint(head, keep_marker=True)
        size, wide = _vint(head[width:], keep_marker=False)
        if kind is None or size is None or width > 4:
            return
        begins = offset + width + wide
        unknown = size == (1 << 7 * wide) - 1
        yield kind, begins, None if unknown else begins + size
        if unknown:
            return
        offset = begins + size


def _vint(data: bytes, *, keep_marker: bool) -> tuple[int | None, int]:
    """A number whose first bits tell its width, and that width."""
    if not data or not data[0]:
        return None, 0
    width = 9 - data[0].bit_length()
    if len(data) < width:
        return None, 0
    number = int.from_bytes(data[:width])
    return (number if keep_marker else number & (1 << 7 * width) - 1), width


def _number(file: Recording, begins: int, ends: int | None) -> int:
    """An integer; 0 for what is too wide to be one."""
    if ends is None or not 0 < ends - begins <= 8:
        return 0
    return int.from_bytes(file.at(begins, ends - begins))
