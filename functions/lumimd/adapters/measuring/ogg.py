"""Measure Ogg with Opus, Vorbis, Speex or FLAC: one recording, or several joined recordings."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from lumimd.adapters.measuring.recording import Recording
from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import Permanent

_HEADER: Final = 27
_FIRST: Final = 2

_PACKET_S: Final = 0.020
"""The duration of a packet if the file is too short to show it."""

STREAMS: Final = 64
"""The most concurrent streams; no recorder writes more."""

_PLAUSIBLE_PAGE_S: Final = 60.0
"""The longest page: it holds at most 255 packets of at most a quarter of a second."""


@dataclass(frozen=True)
class Page:
    """A page: `packets` end on it; `granule` is the position in samples at the last end."""

    serial: int
    is_first: bool
    granule: int
    packets: int
    body: int
    is_whole: bool


@dataclass
class Stream:
    """One stream of sound: the positions of its clock at its first pages and its last page."""

    rate: int
    skip: int = 0
    pages: list[Page] = field(default_factory=list)
    last: int = 0

    def add(self, page: Page) -> None:
        """Record a page with packets of sound."""
        if page.granule > 0 and page.packets:
            if len(self.pages) < 2:
                self.pages.append(page)
            self.last = page.granule

    @property
    def seconds(self) -> float:
        """Return the difference between the first and the last position of the clock."""
        return max(0, self.last - self._start() - self.skip) / self.rate

    def _start(self) -> int:
        """Return the position of the clock before the first page.

        The file does not state it, so the first page counts as having packets as long as the
        second.
        """
        if not self.pages:
            return 0
        first = self.pages[0]
        packet = self.rate * _PACKET_S
        if len(self.pages) == 2 and self.pages[1].granule > first.granule:
            second = self.pages[1]
            packet = (second.granule - first.granule) / second.packets
        elif first.granule < _PLAUSIBLE_PAGE_S * self.rate:
            return 0
        held = packet * first.packets
        start = first.granule - held
        # Zero is at least as good an estimate as a value this close to zero.
        return 0 if start < held / 5 else round(start)


def ogg_seconds(file: Recording) -> float:
    """Return the total duration of all recordings in the file."""
    total, streams, may_begin = 0.0, dict[int, Stream | None](), True
    heard = False
    for page in _pages(file):
        if page.is_first:
            if not may_begin:  # the previous recording has ended, and a joined one begins
                total += _longest(streams)
                streams = {}
            may_begin = True
            if len(streams) == STREAMS:
                raise Permanent(ErrorCode.AUDIO_UNREADABLE)
            streams[page.serial] = _stream(file.at(page.body, 64))
            heard = heard or streams[page.serial] is not None
            continue
        may_begin = False
        stream = streams.get(page.serial)
        if stream is not None and page.is_whole:
            stream.add(page)
    if not heard:
        raise Permanent(ErrorCode.AUDIO_UNREADABLE)
    return total + _longest(streams)


def _longest(streams: dict[int, Stream | None]) -> float:
    return max((each.seconds for each in streams.values() if each is not None), default=0.0)


def _stream(packet: bytes) -> Stream | None:
    """Return the stream that begins with `packet`; None if it is not a known codec of sound."""
    rate, skip = 0, 0
    if packet.startswith(b"OpusHead"):
        rate, skip = 48_000, int.from_bytes(packet[10:12], "little")
    elif packet.startswith(b"\x01vorbis"):
        rate = int.from_bytes(packet[12:16], "little")
    elif packet.startswith(b"Speex   "):
        rate = int.from_bytes(packet[36:40], "little")
    elif packet.startswith(b"\x7fFLAC"):
        rate = int.from_bytes(packet[27:30]) >> 4
    return Stream(rate, skip) if rate else None


def _pages(file: Recording) -> Iterator[Page]:
    offset = 0
    while offset + _HEADER <= file.size:
        head = file.at(offset, _HEADER)
        if head[:4] != b"OggS":
            found = _next_page(file, offset + 1)
            if found is None:
                return
            offset = found
            continue
        lacing = file.at(offset + _HEADER, head[26])
        body = offset + _HEADER + head[26]
        end = body + sum(lacing)
        yield Page(
            serial=int.from_bytes(head[14:18], "little"),
            is_first=bool(head[5] & _FIRST),
            granule=int.from_bytes(head[6:14], "little", signed=True),
            packets=sum(each < 255 for each in lacing),
            body=body,
            is_whole=len(lacing) == head[26] and end <= file.size,
        )
        offset = end


def _next_page(file: Recording, offset: int) -> int | None:
    for begins, data in file.blocks(offset, file.size, overlap=3):
        place = data.find(b"OggS")
        if place >= 0:
            return begins + place
    return None
