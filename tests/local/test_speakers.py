"""Speaker labels: tests of the functions that work on words and vectors, without a recording."""

import numpy as np
import pytest

from infra.local.speech.mel import mel_spectrogram
from infra.local.speech.recognition import Word
from infra.local.speech.speakers import label, louder, split, units, utterances
from infra.local.speech.voices import unit


def spoken(*words: tuple[str, int, int]) -> list[Word]:
    return [Word(text, start, end, 0.9) for text, start, end in words]


def voice(seed: int) -> np.ndarray:
    """Return a random voice vector; two seeds differ about as much as the voices of two people."""
    return unit(np.abs(np.random.default_rng(seed).standard_normal(256)).astype(np.float32))


def noisy(centre: np.ndarray, count: int, amount: float, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal((count, 256))
    return unit((centre + amount / 16 * noise).astype(np.float32))


class TestUnits:
    def test_a_pause_or_a_sentence_end_ends_a_unit_of_speech(self):
        words = spoken(("How", 0, 200), ("old?", 200, 400), ("Ten", 410, 600), ("now", 950, 1100))
        assert units(words) == [(0, 2), (2, 3), (3, 4)]

    def test_the_period_of_a_title_such_as_dr_does_not_end_a_unit(self):
        assert units(spoken(("Dr.", 0, 200), ("Lewis.", 200, 400))) == [(0, 2)]

    def test_an_empty_list_of_words_gives_no_units(self):
        assert units([]) == []


class TestSplit:
    def test_two_different_voices_get_different_speaker_labels(self):
        vectors = np.stack([*noisy(voice(1), 3, 0.3), *noisy(voice(2), 3, 0.3, seed=5)])
        groups = split(vectors, np.ones(6, np.float32))
        assert len(set(groups[:3])) == len(set(groups[3:])) == 1
        assert groups[0] != groups[3]

    def test_similar_voices_are_one_speaker_unless_two_speakers_are_expected(self):
        vectors = noisy(voice(1), 8, 0.3)
        weights = np.ones(8, np.float32)
        assert set(split(vectors, weights)) == {0}
        assert set(split(vectors, weights, force=True)) == {0, 1}

    def test_a_unit_without_a_voice_gets_the_speaker_of_the_unit_before(self):
        a, b, nothing = voice(1), voice(2), np.zeros(256, np.float32)
        groups = split(np.stack([a, nothing, b, nothing]), np.ones(4, np.float32))
        assert groups[0] == groups[1] != groups[2] == groups[3]

    @pytest.mark.parametrize("count", [0, 1])
    def test_with_fewer_than_two_voices_all_units_have_one_speaker(self, count):
        vectors = np.stack([voice(1), *[np.zeros(256, np.float32)] * 2])[: count or None]
        assert set(split(vectors, np.ones(len(vectors), np.float32))) == {0}


def test_with_one_expected_speaker_the_labels_need_no_voice_encoder():
    words = spoken(("Yes.", 0, 200), ("No.", 900, 1200))
    silence = np.zeros(16_000, np.float32)
    assert label(silence, words, encoder=None, expected=1) == [0, 0]  # type: ignore[arg-type]


class TestTurns:
    def test_consecutive_words_of_one_speaker_form_one_turn(self):
        words = spoken(("How", 0, 1), ("old?", 1, 2), ("Ten.", 3, 4), ("Good.", 5, 6))
        turns = utterances(words, [0, 0, 1, 0])
        assert [(turn.speaker, turn.text) for turn in turns] == [
            ("A", "How old?"),
            ("B", "Ten."),
            ("A", "Good."),
        ]
        assert {word.speaker for word in turns[0].words} == {"A"}

    def test_a_long_pause_after_a_sentence_begins_a_new_turn(self):
        words = spoken(("Done.", 0, 100), ("Next", 2000, 2100), ("one", 5000, 5100))
        assert [turn.text for turn in utterances(words, [0, 0, 0])] == ["Done.", "Next one"]


class TestMel:
    def test_the_spectrogram_has_a_frame_of_40_bands_every_10_ms(self):
        assert mel_spectrogram(np.zeros(16_000, np.float32)).shape == (101, 40)

    @pytest.mark.parametrize(("hertz", "band"), [(250, 2), (1000, 13), (4000, 31)])
    def test_a_tone_has_its_maximum_in_its_band(self, hertz, band):
        """The bands follow the Slaney scale, on which 1 kHz is 15 mels and 8 kHz is 45.2 mels."""
        time = np.arange(16_000) / 16_000
        frames = mel_spectrogram(np.sin(2 * np.pi * hertz * time).astype(np.float32))
        assert abs(int(frames[50].argmax()) - band) <= 1

    def test_only_quiet_audio_is_amplified(self):
        quiet, loud = np.full(100, 0.001, np.float32), np.full(100, 0.5, np.float32)
        assert louder(quiet).max() == pytest.approx(10 ** (-30 / 20), rel=1e-3)
        assert louder(loud).max() == 0.5
