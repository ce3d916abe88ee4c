"""Measures the word error rate and speaker accuracy of a transcript against the spoken text.

Words are normalized as in Whisper's evaluation: lower case, no punctuation, numbers in digits, and
one spelling for words that have two spellings.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_VALUES = {word: value for value, word in enumerate(_ONES.split())}
_VALUES |= {word: 10 * value for value, word in enumerate(_TENS.split(), start=2)}
_SPELLINGS = {
    "mg": "milligrams",
    "dr": "doctor",
    "ok": "okay",
    "alright": "all right",
    "xray": "x ray",
}

SpokenWord = tuple[str, str]
"""The speaker and a normalized word."""


@dataclass(frozen=True)
class Comparison:
    """The counts of a comparison of heard words with the words of the reference."""

    words: int
    errors: int
    right_speaker: int
    compared: int

    @property
    def error_rate(self) -> float:
        return self.errors / self.words

    @property
    def speaker_accuracy(self) -> float:
        """The share of aligned words (equal or substituted) with the right speaker."""
        return self.right_speaker / self.compared


def normalised(text: str) -> list[str]:
    """Return the normalized words of a text."""
    text = re.sub(r"(\d)(?=[a-z])", r"\1 ", text.lower().replace("-", " "))
    words: list[str] = []
    for word in re.findall(r"[a-z0-9']+", text):
        words += _SPELLINGS.get(word, word).split()
    return _with_digits(words)


def compare(reference: Sequence[SpokenWord], heard: Sequence[SpokenWord]) -> Comparison:
    """Align by edit distance; map each speaker label to the speaker that fits best."""
    pairs, errors = _align([word for _, word in reference], [word for _, word in heard])
    named = {speaker for speaker, _ in heard}
    right = 0
    for name in named:
        # The speaker of a label is the one with most of its words.
        truth = [reference[r][0] for r, h in pairs if heard[h][0] == name]
        right += max((truth.count(speaker) for speaker in set(truth)), default=0)
    return Comparison(len(reference), errors, right, len(pairs))


def _with_digits(words: list[str]) -> list[str]:
    """ "one hundred fifty" becomes "150"; "twenty five" becomes "25"."""
    result: list[str] = []
    total: int | None = None
    for word in [*words, ""]:
        if word in _VALUES:
            value = _VALUES[word]
            if total is not None and (total % 100 == 0 or (total % 10 == 0 and value < 10)):
                total += value
                continue
            if total is not None:
                result.append(str(total))
            total = value
        elif word == "hundred" and total is not None:
            total *= 100
        else:
            if total is not None:
                result.append(str(total))
                total = None
            if word:
                result.append(word)
    return result


def _align(a: Sequence[str], b: Sequence[str]) -> tuple[list[tuple[int, int]], int]:
    """Return the pairs of aligned positions, and the number of edits."""
    cost = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i in range(len(a) + 1):
        for j in range(len(b) + 1):
            if i == 0 or j == 0:
                cost[i][j] = i + j
                continue
            swap = cost[i - 1][j - 1] + (a[i - 1] != b[j - 1])
            cost[i][j] = min(swap, cost[i - 1][j] + 1, cost[i][j - 1] + 1)
    pairs = []
    i, j = len(a), len(b)
    while i and j:
        if cost[i][j] == cost[i - 1][j - 1] + (a[i - 1] != b[j - 1]):
            i, j = i - 1, j - 1
            pairs.append((i, j))
        elif cost[i][j] == cost[i - 1][j] + 1:
            i -= 1
        else:
            j -= 1
    return pairs[::-1], cost[-1][-1]
