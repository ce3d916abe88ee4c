"""Build sentences across utterances, which a recognizer splits and joins at arbitrary points."""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from typing import Final

from lumimd.domain.transcript import Role, Utterance
from lumimd.rules.words import SENTENCE_ENDS, Word, words_of

MAX_WORDS: Final = 400
"""The most words of a sentence: longer unpunctuated speech is split, to bound a pattern's work."""

JOIN_WORDS: Final = 40
"""A sentence longer than this is not continued in the speaker's next utterance."""

MAX_CHARACTERS: Final = 280
"""The most characters in the text of one item."""

_HEDGES: Final = re.compile(r"\b(um+|uh+|uhm|erm?|hmm+|you know|i mean),?(?=\s|$)", re.IGNORECASE)
_STUTTER: Final = re.compile(r"\b[^\W\d_]{1,3}- ")
_TWICE: Final = re.compile(r"\b(\w+)( ?,? \1\b)+", re.IGNORECASE)
_REJOINED: Final = (
    (re.compile(r"\bgon na\b", re.IGNORECASE), "going to"),
    (re.compile(r"\bgonna\b", re.IGNORECASE), "going to"),
    (re.compile(r"\bwan na\b", re.IGNORECASE), "want to"),
    (re.compile(r"\bwanna\b", re.IGNORECASE), "want to"),
    (re.compile(r"\bgot ta\b", re.IGNORECASE), "got to"),
    (re.compile(r" n't\b"), "n't"),
    (re.compile(r"\bi\b(?=['\u2019 ])"), "I"),
    (re.compile(r"\s+([,.?!;%])"), r"\1"),
    (re.compile(r"(,\s*)+,"), ","),
)


@dataclass(frozen=True)
class Sentence:
    """One sentence of one speaker.

    `plain` is its text in plain words; offsets given to the methods count its characters. `mark` is
    the mark at its end, empty if the recognizer set none.
    """

    role: Role
    speaker: str
    words: tuple[Word, ...]
    utterances: Sequence[Utterance] = field(repr=False)
    mark: str

    @property
    def is_question(self) -> bool:
        return self.mark == "?"

    @cached_property
    def plain(self) -> str:
        return " ".join(word.plain for word in self.words)

    @cached_property
    def _starts(self) -> list[int]:
        return list(accumulate((len(word.plain) + 1 for word in self.words), initial=0))

    def words_in(self, start: int, end: int) -> tuple[Word, ...]:
        """Return the words that the characters from `start` to `end` touch."""
        first = bisect_right(self._starts, start) - 1
        last = bisect_right(self._starts, max(start, end - 1))
        return self.words[first:last]

    def evidence(self, start: int = 0, end: int | None = None) -> tuple[str, ...]:
        """Return the ids of the utterances that contain this part, in order."""
        words = self.words if end is None else self.words_in(start, end)
        return tuple(dict.fromkeys(self.utterances[word.utterance].id for word in words))

    def said(self, start: int = 0, end: int | None = None) -> str:
        """Return the text of this part exactly as transcribed."""
        words = self.words if end is None else self.words_in(start, end)
        spans: dict[int, tuple[int, int]] = {}
        for word in words:
            first, _ = spans.get(word.utterance, (word.start, 0))
            spans[word.utterance] = (first, word.end)
        return " ".join(
            self.utterances[number].text[first:last] for number, (first, last) in spans.items()
        )


def sentences_of(utterances: Sequence[Utterance]) -> Iterator[Sentence]:
    """Yield all sentences in order; consecutive utterances of a speaker form one text."""
    pending: list[Word] = []
    for number, utterance in enumerate(utterances):
        speaker = utterances[pending[-1].utterance].speaker if pending else None
        if pending and (speaker != utterance.speaker or len(pending) >= JOIN_WORDS):
            yield _sentence(pending, utterances, mark="")
            pending = []
        for word in words_of(number, utterance.text):
            if word.plain in SENTENCE_ENDS:
                if pending:
                    yield _sentence(pending, utterances, mark=word.plain)
                pending = []
                continue
            if pending and pending[-1].plain == word.plain and not word.plain.isdigit():
                pending[-1] = word
                continue
            pending.append(word)
            if len(pending) >= MAX_WORDS:
                yield _sentence(pending, utterances, mark="")
                pending = []
    if pending:
        yield _sentence(pending, utterances, mark="")


def without_hesitation(said: str) -> str:
    """Return transcribed words without 'um', stutters and repetitions, otherwise unchanged."""
    text = _TWICE.sub(r"\1", _HEDGES.sub("", _STUTTER.sub("", said)))
    for pattern, replacement in _REJOINED:
        text = pattern.sub(replacement, text)
    return " ".join(text.split()).strip(" ,;:-.?!")


def as_sentence(said: str) -> str:
    """Format transcribed words as a sentence, with a capital and a full stop."""
    text = without_hesitation(said)
    return text[:1].upper() + text[1:] + "." if text else ""


def shortened(text: str) -> str:
    """Return the text, truncated between words if it is too long for one item."""
    if len(text) <= MAX_CHARACTERS:
        return text
    return text[:MAX_CHARACTERS].rsplit(" ", 1)[0] + " …"


def _sentence(words: list[Word], utterances: Sequence[Utterance], mark: str) -> Sentence:
    return Sentence(
        role=utterances[words[0].utterance].role,
        speaker=utterances[words[0].utterance].speaker,
        words=tuple(words),
        utterances=utterances,
        mark=mark,
    )
