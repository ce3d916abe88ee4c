"""Build audio files byte by byte, in forms that recorders write but PyAV cannot write."""

import io
import struct
from fractions import Fraction

import av
import numpy

from tests.support.hostile import box
from tests.support.services import tone

CLUSTER, SEGMENT, TIME, SIMPLE, GROUP = 0x1F43B675, 0x18538067, 0xE7, 0xA3, 0xA0
FIXED, EBML = 4, 6
"""The two kinds of lacing: ways to put several frames into one Matroska block."""


def ebml(kind: int, body: bytes, *, is_sized: bool = True) -> bytes:
    """Return an element of Matroska; without `is_sized` its size is unknown."""
    name = kind.to_bytes((kind.bit_length() + 7) // 8)
    return name + ((1 << 56 | len(body)).to_bytes(8) if is_sized else b"\xff") + body


def numeral(kind: int, value: int) -> bytes:
    return ebml(kind, value.to_bytes(4))


def track(number: int, kind: int, codec: bytes, frame_ms: int = 0) -> bytes:
    """Return a track entry for a picture (kind 1) or 16-bit mono sound at 8 kHz (kind 2)."""
    body = numeral(0xD7, number) + numeral(0x83, kind) + ebml(0x86, codec)
    if frame_ms:
        body += numeral(0x23E383, frame_ms * 1_000_000)
    if kind == 2:
        hertz = ebml(0xB5, struct.pack(">f", 8_000))
        body += ebml(0xE1, hertz + numeral(0x9F, 1) + numeral(0x6264, 16))
    return ebml(0xAE, body)


def block(number: int, at_ms: int, body: bytes, laced: int = 0, lasts_ms: int = 0) -> bytes:
    content = struct.pack(">BhB", 0x80 | number, at_ms, laced) + body
    if not lasts_ms:
        return ebml(SIMPLE, content)
    return ebml(GROUP, ebml(0xA1, content) + numeral(0x9B, lasts_ms))


def matroska(
    tracks: bytes,
    clusters: list[tuple[int, bytes]],
    announced_ms: float | None = None,
    *,
    is_sized: bool = True,
    behind: bytes = b"",
) -> bytes:
    """Return a Matroska file; each cluster is a pair of its time in ms and its blocks."""
    info = numeral(0x2AD7B1, 1_000_000)
    if announced_ms is not None:
        info += ebml(0x4489, struct.pack(">d", announced_ms))
    body = ebml(0x1549A966, info) + ebml(0x1654AE6B, tracks)
    for time, blocks in clusters:
        body += ebml(CLUSTER, numeral(TIME, time) + blocks, is_sized=is_sized)
    head = ebml(0x1A45DFA3, ebml(0x4282, b"matroska"))
    return head + ebml(SEGMENT, body + behind, is_sized=is_sized)


def ogg_page(serial: int, granule: int, body: bytes, flags: int = 0) -> bytes:
    """Return an Ogg page with one packet of less than 255 bytes."""
    head = struct.pack("<4sBBqIIIBB", b"OggS", 0, flags, granule, serial, 0, 0, 1, len(body))
    return head + body


def streamed_wav(content: bytes, size: int) -> bytes:
    """Replace the sizes in a WAV by `size`, as recorders do that do not know the real sizes."""
    patched = bytearray(content)
    struct.pack_into("<I", patched, 4, size)
    struct.pack_into("<I", patched, patched.index(b"data") + 4, size)
    return bytes(patched)


def wav(form: bytes, sound: bytes, before: bytes = b"") -> bytes:
    """Return a WAV with the format chunk `form` and the chunks `before` the sound."""
    body = b"WAVE" + struct.pack("<4sI", b"fmt ", len(form)) + form + before
    body += struct.pack("<4sI", b"data", len(sound)) + sound
    return struct.pack("<4sI", b"RIFF", len(body)) + body


def tone_behind(before: bytes, seconds: int = 12) -> bytes:
    """Return a WAV with the chunks `before` between its format chunk and its sound."""
    plain = tone(seconds)
    return plain[:36] + before + plain[36:]


def inserted(content: bytes, parents: tuple[bytes, ...], added: bytes) -> bytes:
    """Add a box at the end of the innermost parent; the index of the MP4 must come last."""
    patched, place = bytearray(content), 0
    for name in parents:
        place = patched.index(name, place)
        size = int.from_bytes(patched[place - 4 : place])
        struct.pack_into(">I", patched, place - 4, size + len(added))
    patched[place - 4 + size : place - 4 + size] = added
    return bytes(patched)


def edits(*rows: tuple[int, int]) -> bytes:
    """Return an MP4 edit list; each row has the duration of a part and the start of the part.

    Durations are in units of the whole film, and starts in units of the track.
    """
    table = b"".join(struct.pack(">IiI", lasts, begins, 1 << 16) for lasts, begins in rows)
    return box(b"edts", box(b"elst", struct.pack(">II", 0, len(rows)) + table))


def film(container: str, *sounds_s: float, picture_s: float = 0, **options: str) -> bytes:
    """Return a video file with one sound track per duration, and `picture_s` s of picture."""
    codec = "libopus" if container in ("webm", "matroska") else "aac"
    content = io.BytesIO()
    with av.open(content, "w", format=container, options=options) as file:
        picture = file.add_stream("libvpx" if container == "webm" else "mpeg4", rate=5)
        picture.width, picture.height, picture.pix_fmt = 64, 64, "yuv420p"
        streams = [file.add_stream(codec, rate=48_000) for _ in sounds_s]
        for stream in streams:
            stream.layout = "mono"
        packets = []
        for number in range(round(picture_s * 5)):
            image = av.VideoFrame.from_ndarray(numpy.full((96, 64), number, "uint8"), "yuv420p")
            image.pts, image.time_base = number, Fraction(1, 5)
            packets += picture.encode(image)
        packets += picture.encode(None)
        for stream, seconds in zip(streams, sounds_s, strict=True):
            samples = numpy.zeros((1, round(48_000 * seconds)), "int16")
            whole = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
            whole.sample_rate, whole.pts, whole.time_base = 48_000, 0, Fraction(1, 48_000)
            size = stream.codec_context.frame_size
            for part in av.AudioResampler(stream.format, "mono", 48_000, size).resample(whole):
                packets += stream.encode(part)
            packets += stream.encode(None)
        for packet in sorted(packets, key=lambda each: each.dts * each.time_base):
            file.mux(packet)
    return content.getvalue()
