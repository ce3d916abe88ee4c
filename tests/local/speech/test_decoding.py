"""The local speech recognition decodes recordings, but opens no file or URL named in an upload."""

from pathlib import Path

import numpy
import pytest
from faster_whisper import decode_audio
from numpy.typing import NDArray

from infra.local.speech.engine import decode
from infra.local.speech.recognition import RecognitionFailed
from tests.local.speech.formats import CODECS, convert
from tests.support.hostile import TEXTS
from tests.support.recordings import FORMATS, recorded
from tests.support.services import SAMPLE, tone

RATE = 16_000
WINDOW = RATE // 50


@pytest.mark.parametrize("name", FORMATS)
def test_every_accepted_recording_format_is_decoded(name: str, tmp_path: Path) -> None:
    file = tmp_path / "audio"
    file.write_bytes(recorded(FORMATS[name]))
    assert len(decode(file)) / 16_000 == pytest.approx(12, abs=0.2)


def test_decoded_samples_have_the_rate_and_type_that_the_engine_needs() -> None:
    assert numpy.array_equal(decode(SAMPLE), decode_audio(str(SAMPLE)))


@pytest.mark.parametrize("ending", CODECS)
def test_the_sample_recording_decodes_to_the_same_sound_in_every_format(
    ending: str, tmp_path: Path
) -> None:
    """So a real recognition of the sample in one format tests all formats."""
    sound = decode(convert(SAMPLE, tmp_path / f"visit.{ending}"))
    assert len(sound) == pytest.approx(len(decode(SAMPLE)), abs=RATE // 5)
    assert likeness(sound, decode(SAMPLE)) > 0.95


def test_the_likeness_check_rejects_another_sound(tmp_path: Path) -> None:
    sample = decode(SAMPLE)
    assert likeness(sample[::-1], sample) < 0.5
    assert likeness(numpy.roll(sample, 5 * RATE), sample) < 0.5


def likeness(one: NDArray[numpy.float32], other: NDArray[numpy.float32]) -> float:
    """Return the correlation of two spectrograms (20 ms, dB) at the best shift up to 100 ms."""
    length = min(len(one), len(other)) // WINDOW * WINDOW
    first = spectrogram(one[:length])
    shifts = range(-5, 6)
    return max(
        float(numpy.corrcoef(first[8:-8].ravel(), spectrogram(each)[8:-8].ravel())[0, 1])
        for each in (numpy.roll(other[:length], shift * WINDOW) for shift in shifts)
    )


def spectrogram(sound: NDArray[numpy.float32]) -> NDArray[numpy.float64]:
    frames = sound.reshape(-1, WINDOW) * numpy.hanning(WINDOW)
    bands = abs(numpy.fft.rfft(frames))[:, 1:121].reshape(len(frames), 24, 5).mean(axis=2)
    return 20 * numpy.log10(numpy.maximum(bands, 1e-3))


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_file_that_names_audio_files_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "secret.wav").write_bytes(tone(seconds=3))
    file = tmp_path / "audio"
    for content in (TEXTS[name], TEXTS[name].replace(b"/etc/hostname", b"secret.wav")):
        file.write_bytes(content)
        with pytest.raises(RecognitionFailed):
            decode(file)


def test_a_file_list_followed_by_audio_frames_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret.wav").write_bytes(tone(seconds=3))
    file = tmp_path / "audio.mp3"
    file.write_bytes(b"ffconcat version 1.0\nfile secret.wav\n" + recorded(FORMATS["mp3"]))
    with pytest.raises(RecognitionFailed):
        decode(file)
