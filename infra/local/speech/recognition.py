"""The result of a recognizer: words, utterances, and the figures to compare with thresholds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol


class Word(NamedTuple):
    """One word as written, with its punctuation. Times are in ms from the start of the audio."""

    text: str
    start: int
    end: int
    confidence: float
    speaker: str | None = None


@dataclass(frozen=True, slots=True)
class Utterance:
    """Consecutive words of one speaker ("A", "B", in order of appearance)."""

    speaker: str
    words: tuple[Word, ...]

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)

    @property
    def start(self) -> int:
        return self.words[0].start

    @property
    def end(self) -> int:
        return self.words[-1].end

    @property
    def confidence(self) -> float:
        return mean_confidence(self.words)


@dataclass(frozen=True, slots=True)
class Recognition:
    """The recognized speech of one job.

    `utterances` is None unless speaker labels were requested. `speech_share` is the share of the
    audio that is speech, 0..1. `language_confidence` is None unless the language was detected.
    """

    model: str
    seconds: int
    words: tuple[Word, ...]
    utterances: tuple[Utterance, ...] | None
    speech_share: float
    language_code: str
    language_confidence: float | None = None


class RecognitionFailed(Exception):
    """The job ends with status "error" and this message, which the client sees."""


class Recognizer(Protocol):
    """Turns a submission into a Recognition."""

    async def recognize(self, params: Mapping[str, Any], job_id: str) -> Recognition:
        """Recognize the speech; `params` is the submission's body. Raises RecognitionFailed."""
        ...


def mean_confidence(words: tuple[Word, ...]) -> float:
    """Return the mean confidence of the words, rounded to 4 digits; 0.0 without words."""
    if not words:
        return 0.0
    return round(sum(word.confidence for word in words) / len(words), 4)
