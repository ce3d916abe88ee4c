"""The local speech recognition opens recordings, and nothing that an upload names."""

from pathlib import Path

import numpy
import pytest
from faster_whisper import decode_audio

from infra.local.speech.engine import decode
from infra.local.speech.recognition import RecognitionFailed
from tests.support.hostile import TEXTS
from tests.support.recordings import FORMATS, recorded
from tests.support.services import SAMPLE, tone


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_that_is_measured_is_decoded(name: str, tmp_path: Path) -> None:
    file = tmp_path / "audio"
    file.write_bytes(recorded(FORMATS[name]))
    assert len(decode(file)) / 16_000 == pytest.approx(12, abs=0.2)


def test_the_samples_are_those_that_the_engine_was_made_for() -> None:
    assert numpy.array_equal(decode(SAMPLE), decode_audio(str(SAMPLE)))


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_that_names_other_files_is_no_audio(name: str, tmp_path: Path) -> None:
    (tmp_path / "secret.wav").write_bytes(tone(seconds=3))
    file = tmp_path / "audio"
    for content in (TEXTS[name], TEXTS[name].replace(b"/etc/hostname", b"secret.wav")):
        file.write_bytes(content)
        with pytest.raises(RecognitionFailed):
            decode(file)


def test_a_list_of_files_in_front_of_frames_is_still_a_list(tmp_path: Path) -> None:
    (tmp_path / "secret.wav").write_bytes(tone(seconds=3))
    file = tmp_path / "audio.mp3"
    file.write_bytes(b"ffconcat version 1.0\nfile secret.wav\n" + recorded(FORMATS["mp3"]))
    with pytest.raises(RecognitionFailed):
        decode(file)
