"""Converts the sample recording to the formats that phones and browsers record."""

from pathlib import Path

import av

CODECS = {
    "m4a": ("aac", 48_000),
    "mp3": ("libmp3lame", 48_000),
    "ogg": ("libopus", 48_000),
    "webm": ("libopus", 48_000),
    "wav": ("pcm_s16le", 16_000),
}


def convert(source: Path, target: Path) -> Path:
    """Write `source` in mono, in the format of `target`'s file extension; return `target`."""
    codec, rate = CODECS[target.suffix.removeprefix(".")]
    with av.open(str(source)) as read, av.open(str(target), "w") as written:
        stream = written.add_stream(codec, rate=rate)
        stream.layout = "mono"
        resampler = av.AudioResampler(stream.format, "mono", rate, stream.codec_context.frame_size)
        for frame in (*read.decode(audio=0), None):
            for resampled in resampler.resample(frame):
                written.mux(stream.encode(resampled))
        written.mux(stream.encode(None))
    return target
