"""Test that the duration of the less usual forms of each container is read."""

import struct

import pytest

from lumimd.adapters.measuring.length import seconds_of
from lumimd.adapters.measuring.limits import FIRST_LOOK
from lumimd.adapters.measuring.recording import Recording
from tests.support.containers import (
    EBML,
    FIXED,
    block,
    ebml,
    edits,
    film,
    inserted,
    matroska,
    ogg_page,
    streamed_wav,
    tone_behind,
    track,
    wav,
)
from tests.support.hostile import box, chunk
from tests.support.recordings import FORMATS, Format, length_of, recorded

SECONDS = 12
UNKNOWN = [0, 0xFFFF_FFFF]

WAV_CODECS = {
    **{"g722": 16_000, "libmp3lame": 44_100, "mp2": 48_000, "ac3": 48_000, "adpcm_ms": 16_000},
    **{"adpcm_ima_wav": 16_000, "adpcm_yamaha": 16_000, "g726": 8_000, "pcm_alaw": 8_000},
    **{"pcm_mulaw": 8_000, "pcm_f32le": 16_000, "pcm_s24le": 16_000, "pcm_u8": 8_000},
    **{"aac": 48_000, "eac3": 48_000},
}


@pytest.mark.parametrize(("codec", "rate"), WAV_CODECS.items())
def test_the_length_of_a_wav_of_any_codec_is_read_with_or_without_sizes(
    codec: str, rate: int
) -> None:
    content = recorded(Format("wav", codec, rate))
    whole = [content, *(streamed_wav(content, size) for size in UNKNOWN)]
    streamed = recorded(Format("wav", codec, rate), streamed=True)
    assert [length_of(each) for each in [*whole, streamed]] == pytest.approx([12] * 4, abs=0.2)
    assert length_of(content[: len(content) // 2]) == "audio_truncated"


GSM = wav(struct.pack("<HHIIHHHH", 0x31, 1, 8_000, 1_625, 65, 0, 2, 320), bytes(65 * 300))
ADTS = recorded(FORMATS["aac"])
MP3 = recorded(FORMATS["mp3, no header"])
ADTS_IN_WAV = wav(struct.pack("<HHIIHHH", 0x1610, 1, 48_000, 0, 1, 0, 0), ADTS)
MP3_IN_WAV = wav(struct.pack("<HHIIHHH", 0x55, 1, 22_050, 0, 1, 0, 0), MP3)
WRONG_RATE = wav(struct.pack("<HHIIHHH", 0x55, 1, 22_050, 99, 1, 0, 0), MP3)
ODD = chunk(b"LIST", b"INFOx")
PCM = struct.pack("<HHIIHH", 1, 1, 8_000, 16_000, 2, 16)

WAVS = {
    "gsm": GSM,
    "gsm, streamed": streamed_wav(GSM, 0),
    "adts": ADTS_IN_WAV,
    "adts, streamed": streamed_wav(ADTS_IN_WAV, 0xFFFF_FFFF),
    "mp3 without a byte rate": MP3_IN_WAV,
    "mp3 without a byte rate, streamed": streamed_wav(MP3_IN_WAV, 0),
    "mp3 of a wrong byte rate, streamed": streamed_wav(WRONG_RATE, 0xFFFF_FFFF),
    "odd chunks": tone_behind(ODD + b"\0" + chunk(b"JUNK", bytes(9)) + b"\0"),
    "an odd chunk without its padding": tone_behind(ODD),
    "chunks before": tone_behind(chunk(b"bext", bytes(602)) + chunk(b"fact", bytes(4))),
    "an odd size of the sound": wav(PCM, bytes(16_000 * 12 - 1)),
}


@pytest.mark.parametrize("name", WAVS)
def test_the_length_of_a_wav_in_an_unusual_form_is_read(name: str) -> None:
    assert length_of(WAVS[name]) == pytest.approx(SECONDS, abs=0.2)


PCM_CODECS = ["pcm_s16le", "pcm_s24le", "pcm_s16be", "pcm_f32le"]


@pytest.mark.parametrize("codec", PCM_CODECS)
@pytest.mark.parametrize("streamed", [False, True])
def test_the_length_of_pcm_in_one_matroska_block_is_counted_by_its_samples(
    codec: str, streamed: bool
) -> None:
    content = recorded(Format("matroska", codec), streamed=streamed)  # all samples are in one block
    assert length_of(content) == pytest.approx(SECONDS, abs=0.2)
    assert length_of(content + content) == pytest.approx(2 * SECONDS, abs=0.2)
    assert length_of(content[: len(content) * 97 // 100]) == pytest.approx(11.64, abs=0.2)
    cut = length_of(content[: len(content) // 2])
    assert cut == (pytest.approx(6, abs=0.2) if streamed else "audio_truncated")


OPUS = track(1, 2, b"A_OPUS")
CUES = ebml(0x1C53BB6B, bytes(4_000)) + ebml(0x1254C367, bytes(300))
SECOND_OF_PCM = bytes(16_000)
PCM_TRACK = track(1, 2, b"A_PCM/INT/LIT")


def laced(kind: int, at_ms: int, frames: int = 10) -> bytes:
    """Return a laced Matroska block with `frames` frames of 50 bytes."""
    sizes = b"" if kind == FIXED else b"\xb2" + b"\xbf" * (frames - 2)
    return block(1, at_ms, bytes([frames - 1]) + sizes + bytes(50 * frames), kind)


def twelve(blocks: bytes) -> list[tuple[int, bytes]]:
    """Return twelve clusters of one second."""
    return [(1000 * n, blocks) for n in range(SECONDS)]


WITH_FRAMES = track(1, 2, b"A_OPUS", frame_ms=50)
TWO_BLOCKS = [laced(EBML, 0) + laced(EBML, 500), laced(FIXED, 0) + laced(FIXED, 500)]
CALL = track(2, 1, b"V_VP8") + OPUS
SPOKEN = b"".join(block(1, 100 * n, bytes(80)) for n in range(10))
SHOWN = block(2, 0, bytes(3_000)) + block(2, 950, bytes(3_000))
ENDS_EARLY = [(1000 * n, SHOWN + SPOKEN * (n < 12)) for n in range(60)]
BEGINS_LATE = [(1000 * n, SHOWN + SPOKEN * (n >= 5)) for n in range(17)]

MATROSKAS = {
    "blocks of pcm": matroska(PCM_TRACK, twelve(block(1, 0, SECOND_OF_PCM))),
    "blocks that say how long": matroska(OPUS, twelve(block(1, 0, b"x", lasts_ms=1000))),
    "frames of a length": matroska(
        track(1, 2, b"A_OPUS", 1000), twelve(block(1, 0, b"x")), announced_ms=12_000
    ),
    "ebml lacing": matroska(WITH_FRAMES, twelve(TWO_BLOCKS[0])),
    "fixed lacing": matroska(WITH_FRAMES, twelve(TWO_BLOCKS[1])),
    "lacing without a length": matroska(OPUS, twelve(TWO_BLOCKS[0])),
    "a block a cluster": matroska(OPUS, twelve(block(1, 0, bytes(900)))),
    "unknown sizes": matroska(OPUS, twelve(SPOKEN), is_sized=False),
    "unknown sizes and cues": matroska(OPUS, twelve(SPOKEN), is_sized=False, behind=CUES),
    "cues behind": matroska(OPUS, twelve(SPOKEN), 12_000, behind=CUES),
    "sound that ends before the picture": matroska(CALL, ENDS_EARLY, 60_000),
    "the same, streamed": matroska(CALL, ENDS_EARLY, is_sized=False),
    "sound that begins after the picture": matroska(CALL, BEGINS_LATE, 17_000),
    "a call in webm": film("webm", 12, picture_s=30),
    "two tracks of sound": film("matroska", 5, 12, picture_s=12),
}


@pytest.mark.parametrize("name", MATROSKAS)
def test_the_length_of_a_matroska_file_is_the_length_of_its_sound(name: str) -> None:
    content = MATROSKAS[name]
    assert length_of(content) == pytest.approx(SECONDS, abs=0.2)
    assert length_of(content * 2) == pytest.approx(2 * SECONDS, abs=0.4)


def test_a_call_whose_sound_ended_early_is_truncated_if_its_picture_is_truncated() -> None:
    content = MATROSKAS["sound that ends before the picture"]
    assert length_of(content[: len(content) // 2]) == "audio_truncated"


M4A = recorded(FORMATS["m4a"]).replace(b"edts", b"free")
IN_TRACK = (b"moov", b"trak")
MDAT = M4A.index(b"mdat") - 4
MDAT_SIZE = int.from_bytes(M4A[MDAT : MDAT + 4])
SHIFTED = bytearray(M4A)
assert M4A[MDAT - 8 : MDAT] == struct.pack(">I4s", 8, b"free")
SHIFTED[MDAT - 8 : MDAT + 8] = struct.pack(">I4sQ", 1, b"mdat", MDAT_SIZE + 8)

TRACK = M4A[M4A.index(b"trak") - 4 :]
CHAPTERS = bytearray(TRACK[: int.from_bytes(TRACK[:4])].replace(b"soun", b"text"))
struct.pack_into(">I", CHAPTERS, CHAPTERS.index(b"mdhd") + 16, 10_000)  # five times the sound
CHAPTERS[CHAPTERS.index(b"tkhd") + 19] = 2

MP4S = {
    "chapters": inserted(M4A, (b"moov",), bytes(CHAPTERS)),
    "sound that begins later": inserted(M4A, IN_TRACK, edits((3_000, -1), (12_000, 0))),
    "an edit without an end": inserted(M4A, IN_TRACK, edits((0, 1_024))),
    "a size of 64 bits": bytes(SHIFTED),
    "boxes between": M4A + box(b"free", bytes(100)) + box(b"uuid", bytes(16)),
    "several tracks": film("mp4", 12, 5, picture_s=1),
    "sound that ends before the picture": film("mp4", 12, picture_s=30),
    "fragments of several tracks": film(
        "mp4", 12, 5, picture_s=15, movflags="frag_keyframe+empty_moov"
    ),
    "quicktime": film("mov", 12, picture_s=1),
    "quicktime, pcm": recorded(FORMATS["mov"]),
}


@pytest.mark.parametrize("name", MP4S)
def test_the_length_of_an_mp4_is_the_length_of_its_sound(name: str) -> None:
    assert length_of(MP4S[name]) == pytest.approx(SECONDS, abs=0.2)


@pytest.mark.parametrize(
    ("rows", "seconds"),
    [([(7_000, 48_000 * 5)], 7), ([(2_000, 0), (3_000, 48_000 * 8)], 5), ([(9_000_000, 0)], 12)],
)
def test_sound_outside_the_edit_list_of_an_mp4_is_not_counted(
    rows: list[tuple[int, int]], seconds: float
) -> None:
    content = inserted(M4A, IN_TRACK, edits(*rows))
    assert length_of(content) == pytest.approx(seconds, abs=0.2)


def test_the_length_of_an_mp4_over_four_gigabytes_is_read_from_its_index() -> None:
    hole, place = 5 * 1024**3, MDAT + MDAT_SIZE
    front = bytearray(SHIFTED[:place])
    struct.pack_into(">Q", front, MDAT, MDAT_SIZE + 8 + hole)

    def read(offset: int, length: int) -> bytes:
        data = front[offset : offset + length] if offset < place else M4A[offset - hole :]
        return bytes(data[:length])

    assert seconds_of(Recording(read, len(M4A) + hole, FIRST_LOOK)) == pytest.approx(12, abs=0.2)


STAMP = b"ID3\x04\0\0\0\0\0\x3f" + bytes(63)
APE = b"APETAGEX" + struct.pack("<4I", 2_000, 90, 1, 0xA000_0000) + bytes(8 + 90)


def with_stamps(content: bytes) -> bytes:
    """Insert an ID3 tag before each hundredth ADTS frame, as in an HTTP live stream."""
    services, offset, number = [], 0, 0
    while offset < len(content):
        size = (content[offset + 3] & 3) << 11 | content[offset + 4] << 3 | content[offset + 5] >> 5
        services += [STAMP] * (number % 100 == 0) + [content[offset : offset + size]]
        offset, number = offset + size, number + 1
    return b"".join(services)


ROWS = {
    "adts with tags between": with_stamps(ADTS),
    "mp3 with tags behind": MP3 + APE + b"TAG" + bytes(125),
    "mp3 with a header and tags behind": recorded(FORMATS["mp3"]) + APE + b"TAG" + bytes(125),
    "zeros in front of mp3": bytes(3_000) + MP3,
    "many zeros in front of mp3": bytes(200_000) + MP3,
    "zeros behind a tag": STAMP + bytes(5_000) + MP3,
    "wide-band amr": b"#!AMR-WB\n" + (b"\x44" + bytes(60)) * 500 + (b"\x4c" + bytes(5)) * 100,
}


@pytest.mark.parametrize("name", ROWS)
def test_the_length_of_mp3_adts_and_amr_with_tags_is_counted_by_frames(name: str) -> None:
    assert length_of(ROWS[name]) == pytest.approx(SECONDS, abs=0.2)


def opus(pages: int, skip: int = 312, begin: bytes = b"", between: bytes = b"") -> bytes:
    """Return Opus in pages of one second; a player skips the first `skip` samples."""
    head = b"OpusHead\x01\x01" + struct.pack("<HIhB", skip, 48_000, 0, 0)
    content = begin + ogg_page(1, 0, head, 2) + ogg_page(1, 0, b"OpusTags")
    for number in range(pages):
        content += ogg_page(1, 48_000 * (number + 1), b"x") + between
    return content


SKELETON = ogg_page(7, 0, b"fishead\0" + bytes(56), 2)
THEORA = ogg_page(8, 0, b"\x80theora" + bytes(35), 2)
OGGS = {
    "opus that skips a second": opus(13, 48_000),
    "opus beside a skeleton": opus(12, 312, SKELETON),
    "opus beside a film": opus(12, 312, SKELETON + THEORA, ogg_page(8, 5_000_000, b"y" * 200)),
}


@pytest.mark.parametrize("name", OGGS)
def test_the_length_of_an_ogg_is_the_length_of_its_sound(name: str) -> None:
    assert length_of(OGGS[name]) == pytest.approx(SECONDS, abs=0.2)


@pytest.mark.parametrize("name", ["flac", "ogg, flac"])
def test_the_length_of_a_flac_without_a_sample_count_is_counted_by_frames(name: str) -> None:
    content = bytearray(recorded(FORMATS[name]))
    samples = content.index(b"fLaC") + 8 + 13
    content[samples] &= 0xF0
    content[samples + 1 : samples + 5] = bytes(4)
    assert length_of(bytes(content)) == pytest.approx(SECONDS, abs=0.2)
