"""The length of a recording, whoever recorded it, and whether its end is there."""

import io
import tempfile
from pathlib import Path

import av
import numpy
import pytest

from lumimd.adapters.recording_file import seconds_of
from lumimd.errors import ErrorCode, Permanent

SECONDS = 12


class Pipe(io.RawIOBase):
    """Cannot go back, like a browser's recorder: no length gets into the file."""

    def __init__(self) -> None:
        self.content = io.BytesIO()

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        return self.content.write(data)


def encoded(
    into: io.IOBase | str, container: str, codec: str, rate: int = 48_000, **options: str
) -> None:
    """`SECONDS` of noise in mono."""
    noise = numpy.random.default_rng(7).normal(0, 3_000, SECONDS * rate).astype("int16")
    with av.open(into, "w", format=container, options=options) as file:
        stream = file.add_stream(codec, rate=rate)
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(noise.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = rate
        frame.pts = 0
        size = stream.codec_context.frame_size
        for part in av.AudioResampler(stream.format, "mono", rate, size).resample(frame):
            file.mux(stream.encode(part))
        file.mux(stream.encode(None))


def recording(container: str, codec: str, **options: str) -> bytes:
    with tempfile.NamedTemporaryFile() as file:  # an index that comes first needs a real file
        encoded(file.name, container, codec, **options)
        return Path(file.name).read_bytes()


FORMATS = {
    "m4a": ("mp4", "aac", {}),
    "m4a, index first": ("mp4", "aac", {"movflags": "faststart"}),
    "m4a, fragmented": ("mp4", "aac", {"movflags": "frag_keyframe+empty_moov"}),
    "mp3": ("mp3", "libmp3lame", {}),
    "ogg": ("ogg", "libopus", {}),
    "webm": ("webm", "libopus", {}),
    "wav": ("wav", "pcm_s16le", {}),
    "flac": ("flac", "flac", {}),
    "aac": ("adts", "aac", {}),
}


@pytest.mark.parametrize("name", FORMATS)
def test_the_length_of_every_format_is_read(name: str) -> None:
    container, codec, options = FORMATS[name]
    content = recording(container, codec, **options)
    assert seconds_of(io.BytesIO(content)) == pytest.approx(SECONDS, abs=0.5)


def test_a_browsers_recording_without_a_length_is_counted() -> None:
    pipe = Pipe()
    encoded(pipe, "webm", "libopus")
    content = pipe.content.getvalue()
    assert seconds_of(io.BytesIO(content)) == pytest.approx(SECONDS, abs=0.5)
    assert seconds_of(io.BytesIO(content), size_bytes=2**31) is None, "too large to count"


@pytest.mark.parametrize("share", [0.02, 0.3, 0.7])
@pytest.mark.parametrize("name", ["m4a", "m4a, index first"])
def test_an_m4a_whose_end_is_missing_is_truncated(name: str, share: float) -> None:
    container, codec, options = FORMATS[name]
    content = recording(container, codec, **options)
    with pytest.raises(Permanent) as raised:
        seconds_of(io.BytesIO(content[: int(len(content) * share)]))
    assert raised.value.code is ErrorCode.AUDIO_TRUNCATED


@pytest.mark.parametrize("content", [b"x", b"RIFF", b"ID3", bytes(10_000), b"\x1aE\xdf\xa3" * 50])
def test_what_is_no_recording_is_unreadable(content: bytes) -> None:
    with pytest.raises(Permanent) as raised:
        seconds_of(io.BytesIO(content))
    assert raised.value.code is ErrorCode.AUDIO_UNREADABLE


def test_a_film_without_sound_is_unreadable() -> None:
    content = io.BytesIO()
    with av.open(content, "w", format="mp4") as file:
        stream = file.add_stream("mpeg4", rate=5)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for number in range(5):
            frame = av.VideoFrame(64, 64, "yuv420p")
            frame.pts = number
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    with pytest.raises(Permanent) as raised:
        seconds_of(io.BytesIO(content.getvalue()))
    assert raised.value.code is ErrorCode.AUDIO_UNREADABLE


def test_only_the_parts_that_are_needed_are_read() -> None:
    content = recording("mp4", "aac", movflags="faststart")

    class Counting(io.BytesIO):
        total = 0

        def read(self, size: int | None = -1) -> bytes:
            part = super().read(size)
            self.total += len(part)
            return part

    file = Counting(content)
    seconds_of(file)
    assert file.total < 2.5 * len(content), "small files may be read, never over and over"
