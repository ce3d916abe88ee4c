"""Convert an utterance to words in one plain spelling, with their positions.

Recognizers spell differently: 'ten milligrams', '10 mg', "I'm gonna", 'i am gon na'. The patterns
of the other modules read one spelling: lower case, digits, expanded contractions, no commas and no
hesitations.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

from lumimd.rules.spoken_numbers import spoken_number

SENTENCE_ENDS: Final = frozenset(".?!;")

_TOKEN: Final = re.compile(
    # A stutter ('y- you') is skipped; a sentence ends at a mark that is not inside a number.
    r"(?P<stutter>[^\W\d_]{1,3}-(?=\s))|(?P<number>\d+(?:,\d{3})*(?:\.\d+)?)"
    r"|(?P<word>[^\W\d_]+(?:'[^\W\d_]+)*)|(?P<end>[.?!;])|(?P<percent>%)"
)
_HESITATIONS: Final = frozenset(("um", "umm", "uh", "uhm", "er", "erm", "hmm", "mm", "ah"))
_FULL: Final = {
    "gonna": "going to",
    "wanna": "want to",
    "gotta": "have to",
    **dict.fromkeys(("lets", "let's"), "let us"),
    **dict.fromkeys(("can't", "cannot"), "can not"),
    "won't": "will not",
    "dont": "do not",
    "im": "i am",
    "ive": "i have",
    "n't": "not",
    "ok": "okay",
    "alright": "all right",
    **dict.fromkeys(("mgs", "milligram", "milligrams", "milli"), "mg"),
    **dict.fromkeys(("mcgs", "microgram", "micrograms"), "mcg"),
    **dict.fromkeys(("ml", "milliliter", "milliliters"), "mL"),
    "iu": "units",
    "xray": "x ray",
    "xrays": "x rays",
}
_ENDINGS: Final = (
    ("n't", " not"),
    ("'m", " am"),
    ("'re", " are"),
    ("'ve", " have"),
    ("'ll", " will"),
    ("'d", " would"),
)
# 'What's' and 'it's' are expanded; the 's of a noun is a possessive and stays.
_IS: Final = frozenset(("it", "that", "this", "what", "there", "here", "he", "she", "which"))
_SPLIT_BY_THE_RECOGNIZER: Final = {
    ("gon", "na"): "going to",
    ("wan", "na"): "want to",
    ("got", "ta"): "have to",
    ("milli", "grams"): "mg",
    ("milli", "gram"): "mg",
    ("m", "g"): "mg",
    ("you", "know"): "",
}


class Word(NamedTuple):
    """One plain word, spoken at `text[start:end]` of the utterance with the number `utterance`."""

    plain: str
    utterance: int
    start: int
    end: int


def words_of(utterance: int, text: str) -> list[Word]:
    """Return the plain words of one utterance; a mark that ends a sentence is a separate word."""
    spoken = [
        (match.lastgroup, match[0].lower(), match.start(), match.end())
        for match in _TOKEN.finditer(text.replace("\u2019", "'"))
        if match.lastgroup != "stutter" and match[0].lower() not in _HESITATIONS
    ]
    return list(_plain(utterance, spoken))


def _plain(utterance: int, spoken: list[tuple[str | None, str, int, int]]) -> Iterator[Word]:
    texts = [said for _, said, _, _ in spoken]
    at = 0
    while at < len(spoken):
        kind, said, start, _ = spoken[at]
        plain, used = said, 1
        if kind == "number":
            plain = said.replace(",", "")
        elif kind == "percent":
            plain = "percent"
        elif kind == "word":
            pair = (
                _SPLIT_BY_THE_RECOGNIZER.get((said, texts[at + 1])) if at + 1 < len(texts) else None
            )
            if pair is not None:
                plain, used = pair, 2
            else:
                plain, used = spoken_number(texts, at)
                if not used:
                    plain, used = _in_full(said), 1
        if plain:
            yield Word(plain, utterance, start, spoken[at + used - 1][3])
        at += used


@lru_cache(maxsize=20_000)
def _in_full(word: str) -> str:
    if word in _FULL:
        return _FULL[word]
    if "'" in word:
        for ending, full in _ENDINGS:
            if word.endswith(ending):
                return word.removesuffix(ending) + full
        if word.endswith("'s") and word.removesuffix("'s") in _IS:
            return word.removesuffix("'s") + " is"
    return word


def word_list(file: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the terms of a word list beside this module, each with its other names."""
    for line in Path(__file__).with_name(file).read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            term, _, others = line.partition(":")
            yield term, [other.strip() for other in others.split(",") if other.strip()]
