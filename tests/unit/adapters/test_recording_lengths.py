"""Test that the duration of any recording is read, and that truncation is detected."""

import io
import struct

import av
import pytest

from tests.support.recordings import FORMATS, Format, Sound, length_of, recorded
from tests.support.services import tone

SECONDS = 12.0
STREAMED = [name for name, kind in FORMATS.items() if kind.can_stream]

ANNOUNCING = [
    *("m4a", "m4a, index first", "m4a, lossless", "mov", "3gp", "mp3", "webm", "matroska", "flac"),
    *("tta", "wav", "wav, 24 bits", "wav, µ-law", "wav, adpcm", "rf64", "w64", "aiff", "caf"),
]
"""Formats that announce their length."""


def approx(seconds: float) -> object:
    return pytest.approx(seconds, abs=0.2)


@pytest.mark.parametrize("seconds", [SECONDS, 0.5])
@pytest.mark.parametrize("name", FORMATS)
def test_the_length_of_every_format_is_read(name: str, seconds: float) -> None:
    content = recorded(FORMATS[name], Sound(((seconds, True),)))
    assert length_of(content) == approx(seconds)


@pytest.mark.parametrize("name", STREAMED)
def test_the_length_of_a_streamed_recording_is_counted_from_its_contents(name: str) -> None:
    assert length_of(recorded(FORMATS[name], streamed=True)) == approx(SECONDS)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.7])
@pytest.mark.parametrize("name", ANNOUNCING)
def test_a_file_that_is_shorter_than_its_header_announces_is_truncated(
    name: str, share: float
) -> None:
    content = recorded(FORMATS[name])
    assert length_of(content[: int(len(content) * share)]) == "audio_truncated"


@pytest.mark.parametrize("name", ["aac", "mp3, no header", "ogg, opus", "amr", "mp4, cmaf"])
@pytest.mark.parametrize("share", [0.3, 0.7])
def test_a_partial_file_in_a_format_without_a_length_has_the_length_that_is_left(
    name: str, share: float
) -> None:
    content = recorded(FORMATS[name])
    length = length_of(content[: int(len(content) * share)])
    assert length == pytest.approx(SECONDS * share, abs=1.1), "to the last page or fragment"


def test_a_partial_browser_recording_has_the_length_that_is_left() -> None:
    content = recorded(FORMATS["webm"], streamed=True)
    assert length_of(content[: int(len(content) * 0.7)]) == pytest.approx(0.7 * SECONDS, abs=0.3)


LOUD, QUIET = (12.0, True), (12.0, False)
MUTED = {
    "a silent beginning": Sound(((3.0, False), LOUD)),
    "a beginning that is mostly silent": Sound((QUIET, LOUD, LOUD)),
    "a silent end": Sound((LOUD, QUIET, QUIET)),
    "a silent middle": Sound((LOUD, QUIET, LOUD)),
}


@pytest.mark.parametrize("sound", MUTED.values(), ids=MUTED)
@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_the_length_is_correct_although_silent_frames_have_fewer_bytes(
    sound: Sound, rate: int
) -> None:
    seconds = sum(each for each, _ in sound.parts)
    assert length_of(recorded(Format("adts", "aac", rate), sound)) == approx(seconds)
    no_header = (("write_xing", "0"),)
    mp3 = recorded(Format("mp3", "libmp3lame", rate, no_header), sound, qscale="4", b="0")
    assert length_of(mp3) == approx(seconds)


def test_tags_before_or_after_an_mp3_do_not_change_its_length() -> None:
    mp3 = recorded(FORMATS["mp3, no header"])
    cover = 3_000_000
    size = bytes(cover >> shift & 0x7F for shift in (21, 14, 7, 0))
    assert length_of(b"ID3\x04\0\0" + size + bytes(cover) + mp3) == approx(SECONDS)
    assert length_of(mp3 + b"TAG" + bytes(125)) == approx(SECONDS)


def test_damage_in_the_middle_changes_the_length_by_at_most_half_a_second() -> None:
    for name in ("aac", "mp3, no header"):
        content = bytearray(recorded(FORMATS[name]))
        middle = len(content) // 2
        content[middle : middle + 500] = bytes(500)
        assert length_of(bytes(content)) == pytest.approx(SECONDS, abs=0.5)


@pytest.mark.parametrize("claim", [0, 10**9])
def test_an_mp3_header_that_contradicts_the_file_is_ignored(claim: int) -> None:
    """The header announces the number of frames and of bytes; the file has those bytes."""
    content = bytearray(recorded(FORMATS["mp3"]))
    place = content.find(b"Info") + 8
    struct.pack_into(">I", content, place, claim)
    assert length_of(bytes(content)) == approx(SECONDS)


SIZES = [0, 0xFFFF_FFFF, 0x7FFF_F000, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF - 44, 300_000_000]


@pytest.mark.parametrize("size", SIZES)
def test_a_wav_with_a_streaming_recorders_placeholder_size_is_measured(size: int) -> None:
    content = bytearray(tone(seconds=10))
    struct.pack_into("<I", content, 4, min(size + 36, 0xFFFF_FFFF))
    struct.pack_into("<I", content, 40, size)
    assert length_of(bytes(content)) == approx(10)


@pytest.mark.parametrize(("rate", "seconds", "share"), [(16_000, 20, 0.5), (8_000, 600, 0.2)])
def test_a_wav_whose_end_is_missing_is_truncated(rate: int, seconds: int, share: float) -> None:
    content = tone(seconds, rate)
    assert length_of(content[: int(len(content) * share)]) == "audio_truncated"


@pytest.mark.parametrize("begins_s", [0.4, 7_200])
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("name", ["webm", "ogg, opus", "ogg, flac", "mp4, fragmented"])
def test_the_length_is_counted_from_the_first_timestamp(
    name: str, begins_s: float, streamed: bool
) -> None:
    """A browser's clock may start when the page opens, two hours before the recording."""
    content = recorded(FORMATS[name], streamed=streamed, begins_s=begins_s)
    assert length_of(content) == approx(SECONDS)


@pytest.mark.parametrize("name", ["webm", "ogg, opus", "ogg, flac", "aac", "mp3", "amr"])
@pytest.mark.parametrize("streamed", [False, True])
def test_the_length_of_joined_recordings_is_their_sum(name: str, streamed: bool) -> None:
    """A recorder that stops and starts again appends another recording."""
    first = recorded(FORMATS[name], streamed=streamed)
    second = recorded(FORMATS[name], Sound(((7.0, True),)), streamed=streamed)
    assert length_of(first + second + first) == pytest.approx(2 * SECONDS + 7, abs=0.3)
    assert length_of(first + first) == pytest.approx(2 * SECONDS, abs=0.3)


@pytest.mark.parametrize("name", ["flac", "wav", "m4a, index first"])
def test_bytes_after_the_announced_end_of_a_recording_are_not_counted(name: str) -> None:
    content = recorded(FORMATS[name])
    assert length_of(content + content) == approx(SECONDS)


def patched_webm(duration: float) -> bytes:
    content = bytearray(recorded(FORMATS["webm"]))
    struct.pack_into(">d", content, content.index(b"\x44\x89\x88") + 3, duration)
    return bytes(content)


@pytest.mark.parametrize(
    ("duration", "length"),
    [
        (float("inf"), approx(SECONDS)),
        (float("nan"), approx(SECONDS)),
        (1.0, approx(SECONDS)),
        (1e300, "audio_truncated"),
        (9e15, "audio_truncated"),
        (-5_000.0, -5.0),
    ],
)
def test_an_absurd_length_of_a_webm_has_a_result(duration: float, length: object) -> None:
    assert length_of(patched_webm(duration)) == length


@pytest.mark.parametrize("granule", [2**62, 2**63 - 1, -5, -(2**63)])
def test_an_absurd_granule_of_an_ogg_has_a_result(granule: int) -> None:
    content = bytearray(recorded(FORMATS["ogg, opus"]))
    struct.pack_into("<q", content, content.rindex(b"OggS") + 6, granule)
    length = length_of(bytes(content))
    assert isinstance(length, float)
    assert length >= SECONDS - 1


@pytest.mark.parametrize("scale", [0, 1, 2**32 - 1])
def test_an_absurd_time_scale_of_an_m4a_has_a_result(scale: int) -> None:
    content = bytearray(recorded(FORMATS["m4a"]))
    struct.pack_into(">I", content, content.index(b"mdhd") + 16, scale)
    assert length_of(bytes(content)) is not None


@pytest.mark.parametrize("content", [b"x", b"RIFF", b"ID3", bytes(10_000), b"\x1aE\xdf\xa3" * 50])
def test_a_file_without_a_known_format_is_unreadable(content: bytes) -> None:
    assert length_of(content) == "audio_unreadable"


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
    assert length_of(content.getvalue()) == "audio_unreadable"


def test_an_ogg_with_65_streams_is_unreadable() -> None:
    first = recorded(FORMATS["ogg, opus"])[:47]
    pages = b"".join(first[:14] + struct.pack("<I", each) + first[18:] for each in range(65))
    assert length_of(pages) == "audio_unreadable"
