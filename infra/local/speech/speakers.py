"""Labels speakers: splits voice embeddings of short units between one or two speakers.

A unit is a run of words without a pause or a sentence end inside, so speakers change only between
units. A visit has two speakers and a dictation has one; a third speaker is not distinguished.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from infra.local.speech.mel import mel_spectrogram
from infra.local.speech.recognition import Utterance, Word
from infra.local.speech.voices import FRAMES, Floats, VoiceEncoder, unit

PAUSE_MS = 300
LONG_PAUSE_MS = 1500
FRAME_MS = 10
WINDOW_STEP = 80  # in frames: a long unit's windows overlap by half
MIN_FRAMES = 10  # less than 100 ms does not characterize a voice

# Measured with four synthetic voices: the similarity of two halves of one voice is above 0.96, the
# similarity of two voices below 0.74. The threshold is in between, since live voices vary more.
SAME_VOICE = 0.85

TARGET_DBFS = -30.0  # the level of Resemblyzer's training; needed as the mel is not logarithmic

SENTENCE_ENDS = (".", "?", "!")
TITLES = ("Dr.", "Mr.", "Mrs.", "Ms.")  # their full stop does not end a sentence


def label(
    audio: NDArray[np.float32],
    words: Sequence[Word],
    encoder: VoiceEncoder,
    expected: int | None = None,
) -> list[int]:
    """Return a speaker number for each word; the first speaker has the number 0.

    `audio` is mono at 16 kHz. `expected` is the client's speakers_expected: 1 gives all words to
    one speaker, and a larger number forces two speakers.
    """
    spans = units(words)
    if expected == 1 or len(spans) < 2:
        return [0] * len(words)
    mel = mel_spectrogram(louder(audio))
    vectors = _embed(mel, [(words[a].start, words[b - 1].end) for a, b in spans], encoder)
    weights = np.array([words[b - 1].end - words[a].start for a, b in spans], np.float32)
    groups = split(vectors, weights, force=expected is not None)
    first = groups[0]
    return [
        int(group != first)
        for (start, end), group in zip(spans, groups, strict=True)
        for _ in range(start, end)
    ]


def units(words: Sequence[Word]) -> list[tuple[int, int]]:
    """Split the words at pauses and sentence ends into half-open ranges of word positions."""
    spans = []
    start = 0
    for place in range(1, len(words) + 1):
        if place == len(words) or _is_cut(words[place - 1], words[place]):
            spans.append((start, place))
            start = place
    return spans


def ends_sentence(word: Word) -> bool:
    return word.text.endswith(SENTENCE_ENDS) and word.text not in TITLES


def split(vectors: Floats, weights: Floats, *, force: bool = False) -> list[int]:
    """Split unit vectors into two groups, 0 and 1, by 2-means.

    If the two groups sound alike, the result is all 0, unless `force` is set. `vectors` is count x
    256. Each row has length 1, or length 0 for a unit without a voice, which joins the group of the
    unit before it. `weights` has the duration of each unit.
    """
    alive = np.flatnonzero(np.linalg.norm(vectors, axis=1) > 0.5)
    if len(alive) < 2:
        return [0] * len(vectors)
    centres = _farthest_pair(vectors[alive], weights[alive])
    groups = np.zeros(len(alive), np.int64)
    for _ in range(50):
        chosen = np.argmax(vectors[alive] @ centres.T, axis=1)
        if len(np.unique(chosen)) < 2:
            return [0] * len(vectors)
        sums = [(vectors[alive] * weights[alive, None])[chosen == n].sum(axis=0) for n in (0, 1)]
        centres = unit(np.stack(sums))
        if np.array_equal(chosen, groups):
            break
        groups = chosen
    if not force and float(centres[0] @ centres[1]) > SAME_VOICE:
        return [0] * len(vectors)
    return _fill(len(vectors), alive, groups)


def utterances(words: Sequence[Word], speakers: Sequence[int]) -> tuple[Utterance, ...]:
    """Join consecutive words of one speaker; a sentence end before a long pause splits them.

    `speakers` has one number for each word (0 is "A"). In the result each word names its speaker.
    """
    named = [
        word._replace(speaker=chr(ord("A") + speaker))
        for word, speaker in zip(words, speakers, strict=True)
    ]
    runs: list[list[Word]] = []
    for word in named:
        if runs and _continues(runs[-1][-1], word):
            runs[-1].append(word)
        else:
            runs.append([word])
    return tuple(Utterance(run[0].speaker or "A", tuple(run)) for run in runs)


def louder(audio: NDArray[np.float32]) -> NDArray[np.float32]:
    """Amplify the audio to the level of Resemblyzer's training; louder audio is unchanged."""
    level = 10 * np.log10(max(float(np.mean(np.square(audio))), 1e-12))
    gain = 10 ** (max(0.0, TARGET_DBFS - level) / 20)
    return np.asarray(audio * gain, np.float32)


def _continues(before: Word, after: Word) -> bool:
    if before.speaker != after.speaker:
        return False
    pause = after.start - before.end
    return pause < LONG_PAUSE_MS or not ends_sentence(before)


def _is_cut(before: Word, after: Word) -> bool:
    return after.start - before.end >= PAUSE_MS or ends_sentence(before)


def _embed(mel: Floats, spans_ms: Sequence[tuple[int, int]], encoder: VoiceEncoder) -> Floats:
    """Return for each span the mean vector of its windows: length 1, or 0 for a short span."""
    windows: list[Floats] = []
    owners: list[int] = []
    for owner, (start, end) in enumerate(spans_ms):
        frames = mel[start // FRAME_MS : -(-end // FRAME_MS)]
        if len(frames) < MIN_FRAMES:
            continue
        if len(frames) < FRAMES:
            # Frames are repeated and not padded with silence, because silence would make the
            # embeddings of all short units similar.
            frames = np.resize(frames, (FRAMES, frames.shape[1]))
        last = len(frames) - FRAMES
        for at in sorted({*range(0, last, WINDOW_STEP), last}):
            windows.append(frames[at : at + FRAMES])
            owners.append(owner)
    totals = np.zeros((len(spans_ms), 256), np.float32)
    if windows:
        np.add.at(totals, owners, encoder.embed(np.stack(windows)))
    return unit(totals)


def _farthest_pair(vectors: Floats, weights: Floats) -> Floats:
    """Return the two least similar of the longest units, since short units are too noisy."""
    longest = np.sort(np.argsort(-weights, kind="stable")[: max(2, min(40, len(weights) // 2))])
    alike = vectors[longest] @ vectors[longest].T
    first, second = np.unravel_index(int(np.argmin(alike)), alike.shape)
    pair: Floats = vectors[longest[[first, second]]]
    return pair


def _fill(count: int, alive: NDArray[np.int64], groups: NDArray[np.int64]) -> list[int]:
    known = dict(zip(alive.tolist(), groups.tolist(), strict=True))
    filled: list[int] = []
    last = int(groups[0])
    for place in range(count):
        last = known.get(place, last)
        filled.append(last)
    return filled
