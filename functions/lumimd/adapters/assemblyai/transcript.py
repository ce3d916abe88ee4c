"""Tolerant reader of the transcript of a finished job.

The reader prefers utterances. A language without speaker labels has none, and some responses lack
fields. Then the reader joins words by speaker, and uses the text alone as the last resort.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from lumimd.adapters.assemblyai.fields import items, label, milliseconds, seconds, share, text_of
from lumimd.domain.transcript import Transcript, Utterance

SPEAKER: Final = "A"
"""The speaker's name if the provider names none."""

MOST_CHARACTERS: Final = 600
"""The most characters of an utterance, about a minute of speech.

Evidence refers to an utterance, which a user should scan quickly.
"""

COVERED: Final = 0.8
"""If words cover a smaller share of the text, they are incomplete, and the text is used."""

_ENDS: Final = ".!?\u3002\uff01\uff1f\u0964\u061f"
"""Marks that end a sentence, including those of Chinese, Japanese, Hindi and Arabic."""

_SENTENCE_END: Final = re.compile(rf"(?<=[{_ENDS}])(?=[^{_ENDS}])")


@dataclass(frozen=True)
class Said:
    """A spoken piece: a word, a sentence, or a speaker's words without a break."""

    text: str
    start_ms: int
    end_ms: int
    speaker: str | None
    confidence: float | None


def transcript_of(answer: Mapping[str, Any]) -> Transcript | None:
    """Return the transcript; silent if the provider reports no word, None if unreadable."""
    words = [said for said in map(_said, items(answer.get("words"))) if said.text]
    text = text_of(answer.get("text"))
    duration_s = seconds(answer.get("audio_duration"))
    spoken = [said for said in map(_said, items(answer.get("utterances"))) if said.text]
    if not spoken:
        spoken = [*_from_words(words, text, duration_s)]
    if not spoken and not _is_silent(answer):
        return None
    confidence = share(answer.get("confidence"))
    return Transcript(
        utterances=tuple(_utterances(spoken, confidence)),
        language_code=text_of(answer.get("language_code"))[:35] or None,
        confidence=confidence,
        duration_seconds=duration_s,
    )


def _is_silent(answer: Mapping[str, Any]) -> bool:
    """Return whether the provider reports no word; null fields do not count as a report."""
    text, words = answer.get("text"), answer.get("words")
    no_text = text is None or (isinstance(text, str) and not text.strip())
    no_words = words is None or (
        isinstance(words, list)
        and all(isinstance(word, Mapping) and word.get("text") == "" for word in words)
    )
    says_so = isinstance(text, str) or isinstance(words, list) or answer.get("utterances") == []
    return no_text and no_words and says_so


def _said(item: Mapping[str, Any]) -> Said:
    """Read a word or an utterance; the words of an utterance supply its missing fields."""
    words = [said for said in map(_said, items(item.get("words"))) if said.text]
    start, end = milliseconds(item.get("start")), milliseconds(item.get("end"))
    confidence = share(item.get("confidence"))
    if start is None:
        start = words[0].start_ms if words else 0
    if end is None:
        end = words[-1].end_ms if words else start
    return Said(
        text=text_of(item.get("text")) or " ".join(word.text for word in words),
        start_ms=start,
        end_ms=max(start, end),
        speaker=label(item.get("speaker")) or next(_speakers(words), None),
        confidence=_mean(word.confidence for word in words) if confidence is None else confidence,
    )


def _speakers(words: Iterable[Said]) -> Iterator[str]:
    return (word.speaker for word in words if word.speaker)


def _mean(shares: Iterable[float | None]) -> float | None:
    known = [each for each in shares if each is not None]
    return sum(known) / len(known) if known else None


def _from_words(words: Sequence[Said], text: str, duration_s: float | None) -> Iterator[Said]:
    """Yield utterances from words: one for each run of words by the same speaker."""
    length = sum(len(word.text) for word in words)
    if words and any(_speakers(words)) and length >= COVERED * len("".join(text.split())):
        for _, run in groupby(words, key=lambda word: word.speaker):
            yield from _divided([*run])
    elif words and length >= COVERED * len("".join(text.split())):
        yield from _divided(words)
    elif text:
        begins = words[0].start_ms if words else 0
        ends = words[-1].end_ms if words else 0
        ends = ends if duration_s is None else round(duration_s * 1000)
        yield from _divided(_timed(text, begins, max(begins, ends)))


def _timed(text: str, begins_ms: int, ends_ms: int) -> list[Said]:
    """Return the words of a text, with times in ms estimated from their position in the text."""
    found = [part for word in text.split() for part in _pieces(word)]
    total, passed, timed = sum(map(len, found)) or 1, 0, []
    for word in found:
        start = begins_ms + (ends_ms - begins_ms) * passed // total
        passed += len(word)
        end = begins_ms + (ends_ms - begins_ms) * passed // total
        timed.append(Said(word, start, end, None, None))
    return timed


def _pieces(word: str) -> list[str]:
    """Split a word at ends of sentences and into pieces of limited length.

    In a script without spaces, a word may be a whole text.
    """
    sentences = [each for each in _SENTENCE_END.split(word) if each]
    return [
        sentence[at : at + MOST_CHARACTERS]
        for sentence in sentences
        for at in range(0, len(sentence), MOST_CHARACTERS)
    ]


def _divided(words: Sequence[Said]) -> Iterator[Said]:
    """Yield one speaker's words in parts that end with a sentence; a long sentence is split."""
    part: list[Said] = []
    length = 0
    for word in words:
        if part and length + len(word.text) > MOST_CHARACTERS:
            cut = _last_sentence_end(part)
            yield _joined(part[:cut])
            part = part[cut:]
            length = sum(len(each.text) + 1 for each in part)
        part.append(word)
        length += len(word.text) + 1
    if part:
        yield _joined(part)


def _last_sentence_end(part: Sequence[Said]) -> int:
    ends = [
        n
        for n, word in enumerate(part, start=1)
        if word.text.rstrip("\"')\u201d\u00bb")[-1:] in _ENDS
    ]
    return ends[-1] if ends else len(part)


def _joined(part: Sequence[Said]) -> Said:
    return Said(
        text=" ".join(word.text for word in part),
        start_ms=part[0].start_ms,
        end_ms=max(word.end_ms for word in part),
        speaker=part[0].speaker,
        confidence=_mean(word.confidence for word in part),
    )


def _utterances(spoken: Iterable[Said], overall: float | None) -> Iterator[Utterance]:
    for number, said in enumerate(spoken, start=1):
        known = said.confidence if said.confidence is not None else overall
        yield Utterance(
            id=f"u{number}",
            speaker=said.speaker or SPEAKER,
            start_ms=said.start_ms,
            end_ms=said.end_ms,
            text=said.text,
            confidence=known if known is not None else 0.0,
        )
