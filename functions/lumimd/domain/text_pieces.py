"""Divides long text at natural pauses into pieces of a limited number of bytes."""

import re
import unicodedata
from typing import Final

# Ends of sentences in Latin, Chinese, Japanese, Devanagari, Arabic and Urdu, with closing marks.
_SENTENCE_END: Final = re.compile(
    "[.!?\u2026\u3002\uff01\uff1f\u0964\u0965\u061f\u06d4]+[\"'\u201d\u2019\u00bb\u300d\u300f)]*\\s*|\n+"
)
_WORD_END: Final = re.compile(r"\s+")
_JOINERS: Final = "\u200c\u200d\u094d\ufe0e\ufe0f"
"""Characters that continue a letter: joiners, the virama and variation selectors."""


def divided_text(text: str, max_bytes: int) -> list[str]:
    """Return `text` in pieces of at most `max_bytes` of UTF-8, which add up to the text.

    A piece ends after a sentence if a sentence ends in its second half, else after a word, else
    between two letters. An accent, a vowel sign or a joined emoji stays with its letter, unless the
    letter alone is larger than a piece.
    """
    pieces: list[str] = []
    start = 0
    while start < len(text):
        end = _fits(text, start, max_bytes)
        if end < len(text):
            end = _pause(text, start, end)
        pieces.append(text[start:end])
        start = end
    return pieces or [text]


def _fits(text: str, start: int, max_bytes: int) -> int:
    """Return the end of the longest piece that begins at `start` and fits into `max_bytes`.

    The piece has at least one letter.
    """
    window = text[start : start + max(1, max_bytes)]
    encoded = window.encode("utf-8", "surrogatepass")
    if len(encoded) <= max_bytes:
        return start + len(window)
    return start + max(1, len(encoded[:max_bytes].decode("utf-8", "ignore")))


def _pause(text: str, start: int, end: int) -> int:
    half = start + (end - start) // 2
    for pause in (_SENTENCE_END, _WORD_END):
        ends = [found.end() for found in pause.finditer(text, half, end)]
        # A match at the very end of the piece may continue in the next piece.
        if ends:
            return ends[-1]
    at = end
    while at > start and (unicodedata.category(text[at])[0] == "M" or _joined(text, at)):
        at -= 1
    return at if at > start else end


def _joined(text: str, at: int) -> bool:
    return text[at] in _JOINERS or text[at - 1] in _JOINERS
