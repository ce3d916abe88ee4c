"""Measure WebM and Matroska, with one recording or several joined recordings.

A browser writes no length and no sizes. So the reader searches for the marks of clusters, and reads
only the first and the last cluster with sound.
"""

import math
import struct
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from lumimd.adapters.measuring.ebml import elements, number
from lumimd.adapters.measuring.ending import whole
from lumimd.adapters.measuring.matroska_blocks import (
    CLUSTER,
    Block,
    Track,
    blocks,
    cluster_time,
    track_entry,
)
from lumimd.adapters.measuring.recording import Recording
from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import Permanent

MARK: Final = b"\x1aE\xdf\xa3"
_CLUSTER: Final = b"\x1fC\xb6u"
_LONGEST_MARK: Final = 4
_SEGMENT, _INFO, _TRACKS, _TRACK = 0x18538067, 0x1549A966, 0x1654AE6B, 0xAE

COUNT_UP_TO_BYTES: Final = 512 * 1024**2
"""The largest file that is read to its end; a larger file counts by its announced duration."""


@dataclass
class Part:
    """One recording: the values of its header, and its clusters as (offset, time)."""

    unit_s: float = 0.001
    announced: float | None = None
    tracks: dict[int, Track] = field(default_factory=dict)
    clusters: "array[int]" = field(default_factory=lambda: array("Q"))


def matroska_seconds(file: Recording) -> float | None:
    """Return the total duration of all recordings in the file; None if that is too much to read.

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
        elif mark == _CLUSTER and cluster_time(file, place) is not None:
            parts[0].clusters.append(place)
    return total + sum(_length(file, each, file.size) for each in parts)


def _length(file: Recording, part: Part, end: int) -> float:
    """Return the time from the first block of sound to the end of the last block of sound."""
    if not any(track.is_sound for track in part.tracks.values()):
        raise Permanent(ErrorCode.AUDIO_UNREADABLE)
    announced_s = part.announced * part.unit_s if part.announced is not None else None
    if announced_s is not None and announced_s < 0:
        return announced_s
    sound, reached = _last_blocks(file, part, end)
    begins = _begins(file, part, end) if sound else 0
    ends_at = max(map(_ends, sound.values()), default=begins)
    if announced_s is not None and math.isfinite(announced_s):
        whole(announced_s, max(reached, ends_at) * part.unit_s)
    return (ends_at - begins) * part.unit_s


def _begins(file: Recording, part: Part, end: int) -> int:
    """Return the time at which the first block of sound begins."""
    for place in part.clusters:
        found = [each.at for each in _blocks(file, part, place, end) if _is_sound(part, each)]
        if found:
            return min(found)
    return 0


def _last_blocks(file: Recording, part: Part, end: int) -> tuple[dict[int, list[Block]], float]:
    """Return the last blocks of each track of sound, and the end of the last block of any track.

    If the sound ends before the picture, the last cluster has no block of sound.
    """
    sound: dict[int, list[Block]] = {}
    reached = 0.0
    for place in reversed(part.clusters):
        here: dict[int, list[Block]] = {}
        for each in _blocks(file, part, place, end):
            reached = max(reached, each.at + each.lasts)
            if _is_sound(part, each):
                here.setdefault(each.track, []).append(each)
        for track, found in here.items():
            sound[track] = found + sound.get(track, [])
        if any(len(found) > 1 or found[0].lasts for found in sound.values()):
            break
    return sound, reached


def _ends(found: list[Block]) -> float:
    """Return the end of the last block; without a duration it lasts as long as the one before."""
    last = max(each.at + each.lasts for each in found)
    if len(found) > 1 and not found[-1].lasts:
        last += max(0, found[-1].at - found[-2].at)
    return last


def _is_sound(part: Part, block: Block) -> bool:
    return part.tracks[block.track].is_sound


def _blocks(file: Recording, part: Part, place: int, end: int) -> Iterator[Block]:
    return blocks(file, part.tracks, part.unit_s, place, end)


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
    """Return whether a recording begins there; the bytes alone may be a coincidence."""
    head = file.at(place, 80)
    return head[:4] == MARK and b"\x42\x82" in head and (b"webm" in head or b"matroska" in head)


def _part(file: Recording, place: int) -> Part:
    part = Part()
    for element, begins, ends in elements(file, place, file.size):
        if element == _SEGMENT:
            for kind, body, stops in elements(file, begins, file.size):
                if kind == CLUSTER:
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
    for kind, begins, ends in elements(file, body, end):
        if kind == 0x2AD7B1:
            part.unit_s = (number(file, begins, ends) or 1_000_000) / 1e9
        elif kind == 0x4489 and ends is not None and ends - begins in (4, 8):
            data = file.at(begins, ends - begins)
            part.announced = struct.unpack(">f" if len(data) == 4 else ">d", data)[0]


def _read_tracks(file: Recording, body: int, end: int, part: Part) -> None:
    for kind, begins, ends in elements(file, body, end):
        if kind != _TRACK or ends is None:
            continue
        name, entry = track_entry(file, begins, ends)
        part.tracks[name] = entry
