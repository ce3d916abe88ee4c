"""The length of a recording, read from the file itself by FFmpeg's demuxers (PyAV)."""

from typing import Any, BinaryIO, Final

from lumimd.errors import ErrorCode, Permanent

TOLERANCE_S: Final = 2.0
"""How much of its announced length a file may lack before it counts as cut off."""

COUNT_UP_TO_BYTES: Final = 512 * 1024**2
"""Browsers write no length into a recording; up to this size its packets are counted instead."""


def seconds_of(file: BinaryIO, size_bytes: int | None = None) -> float | None:
    """The length of a recording in seconds; None when it is too large to count its packets.

    Args:
        file: seekable; only the parts that are needed are read.
        size_bytes: the size of the file, if the caller knows it without reading.

    Raises:
        Permanent: `audio_unreadable` (no recording, or damaged) or `audio_truncated`.
    """
    import av

    try:
        with av.open(file, mode="r", metadata_errors="ignore") as container:
            if not container.streams.audio:
                raise Permanent(ErrorCode.AUDIO_UNREADABLE if container.streams else _code_of(file))
            announced = _announced_s(container)
            if announced is None:
                too_large = size_bytes is not None and size_bytes > COUNT_UP_TO_BYTES
                return None if too_large else _last_packet_s(container)
            if _is_cut_off(container, announced):
                raise Permanent(ErrorCode.AUDIO_TRUNCATED)
            return announced
    except av.error.FFmpegError as error:
        raise Permanent(_code_of(file)) from error


def _announced_s(container: Any) -> float | None:
    stream = container.streams.audio[0]
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return None if container.duration is None else container.duration / 1_000_000


def _is_cut_off(container: Any, announced_s: float) -> bool:
    if announced_s <= TOLERANCE_S:
        return False
    container.seek(int((announced_s - TOLERANCE_S) * 1_000_000), backward=True)
    return _last_packet_s(container) < announced_s - TOLERANCE_S


def _last_packet_s(container: Any) -> float:
    """Where the last readable packet ends; reads from the present position to the end."""
    import av

    end_s = 0.0
    try:
        for packet in container.demux(audio=0):
            if packet.pts is not None and packet.size:
                end = packet.pts + (packet.duration or 0)
                end_s = max(end_s, float(end * packet.time_base))
    except av.error.FFmpegError:
        pass  # cut off in the middle of a packet: what was readable up to here counts
    return end_s


def _code_of(file: BinaryIO) -> ErrorCode:
    """An MP4 file without its index was cut off; anything else is not a recording."""
    file.seek(4)
    return ErrorCode.AUDIO_TRUNCATED if file.read(4) == b"ftyp" else ErrorCode.AUDIO_UNREADABLE
