"""Make recordings like those of phones and browsers, and malformed recordings."""

import io
import tempfile
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import numpy

from lumimd.adapters.measuring.length import seconds_of
from lumimd.adapters.measuring.recording import Budget, Recording
from lumimd.domain.errors import Permanent

PLENTY = Budget(cpu_s=5, bytes=2**32, jumps=10**6)


@dataclass(frozen=True)
class Format:
    """PyAV's options for a format; with `can_stream`, a recorder without seek can write it."""

    container: str
    codec: str
    rate: int = 48_000
    options: tuple[tuple[str, str], ...] = ()
    can_stream: bool = True


def _format(container: str, codec: str, rate: int = 48_000, **options: str) -> Format:
    return Format(container, codec, rate, tuple(options.items()))


FORMATS = {
    "m4a": Format("mp4", "aac", can_stream=False),
    "m4a, index first": Format("mp4", "aac", 44_100, (("movflags", "faststart"),), False),
    "m4a, lossless": Format("ipod", "alac", 44_100, can_stream=False),
    "mp4, fragmented": _format("mp4", "aac", movflags="frag_keyframe+empty_moov"),
    "mp4, cmaf": _format("mp4", "aac", movflags="cmaf", frag_duration="500000"),
    "mp4, opus": Format("mp4", "libopus", can_stream=False),
    "mov": Format("mov", "pcm_s16le", can_stream=False),
    "3gp": Format("3gp", "libopencore_amrnb", 8_000, can_stream=False),
    "amr": _format("amr", "libopencore_amrnb", 8_000),
    "aac": _format("adts", "aac"),
    "aac, 16 kHz": _format("adts", "aac", 16_000),
    "mp3": _format("mp3", "libmp3lame", 44_100),
    "mp3, 8 kHz": _format("mp3", "libmp3lame", 8_000),
    "mp3, no header": _format("mp3", "libmp3lame", 22_050, write_xing="0", id3v2_version="0"),
    "mp2": _format("mp2", "mp2"),
    "ogg, opus": _format("ogg", "libopus"),
    "ogg, flac": _format("ogg", "flac", 44_100),
    "webm": _format("webm", "libopus"),
    "matroska": _format("matroska", "aac"),
    "flac": _format("flac", "flac", 44_100),
    "tta": _format("tta", "tta", 44_100),
    "wav": _format("wav", "pcm_s16le", 16_000),
    "wav, 24 bits": _format("wav", "pcm_s24le"),
    "wav, µ-law": _format("wav", "pcm_mulaw", 8_000),
    "wav, adpcm": _format("wav", "adpcm_ms", 16_000),
    "rf64": _format("wav", "pcm_s16le", rf64="always"),
    "w64": _format("w64", "pcm_s16le"),
    "aiff": _format("aiff", "pcm_s16be"),
    "aiff, adpcm": _format("aiff", "adpcm_ima_qt", 44_100),
    "caf": _format("caf", "pcm_s16le"),
    "caf, lossless": Format("caf", "alac", can_stream=False),
}


class Pipe(io.RawIOBase):
    """A file that cannot seek, like a browser's, so that no length is written into it."""

    def __init__(self) -> None:
        self.content = io.BytesIO()

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        return self.content.write(data)


@dataclass(frozen=True)
class Sound:
    """Parts in seconds, each of noise (True) or silence; noise takes more bytes."""

    parts: tuple[tuple[float, bool], ...] = field(default=((12.0, True),))

    def samples(self, rate: int) -> numpy.ndarray:
        noise = numpy.random.default_rng(7).normal
        return numpy.concatenate(
            [noise(0, 3_000 if loud else 0, int(each * rate)) for each, loud in self.parts]
        ).astype("int16")


@cache
def recorded(
    kind: Format,
    sound: Sound = Sound(),
    *,
    streamed: bool = False,
    begins_s: float = 0,
    **codec_options: str,
) -> bytes:
    """Record the sound in mono, with timestamps from `begins_s`.

    If it is `streamed`, the recorder cannot seek.
    """
    pipe = Pipe()
    with tempfile.NamedTemporaryFile() as kept:  # an index at the start needs a real file
        into = pipe if streamed else kept.name
        with av.open(into, "w", format=kind.container, options=dict(kind.options)) as file:
            stream = file.add_stream(kind.codec, rate=kind.rate, options=codec_options)
            stream.layout = "mono"
            samples = sound.samples(kind.rate).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
            frame.sample_rate = kind.rate
            frame.time_base = Fraction(1, kind.rate)
            frame.pts = int(begins_s * kind.rate)
            size = stream.codec_context.frame_size
            resampler = av.AudioResampler(stream.format, "mono", kind.rate, size)
            for part in resampler.resample(frame):
                file.mux(stream.encode(part))
            file.mux(stream.encode(None))
        return pipe.content.getvalue() if streamed else Path(kept.name).read_bytes()


def length_of(content: bytes) -> float | str | None:
    """Measure a recording in this process; returns its seconds or the code of its refusal."""

    def read(offset: int, length: int) -> bytes:
        return content[offset : offset + length]

    try:
        return seconds_of(Recording(read, len(content), PLENTY))
    except Permanent as error:
        return error.code.value
