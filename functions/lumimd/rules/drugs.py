"""Find drug names in a sentence: exact, split by the recognizer, or one or two letters wrong."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from lumimd.rules.sentences import Sentence
from lumimd.rules.words import word_list, words_of

MIN_MISHEARD_LETTERS: Final = 7
"""Fewest letters of a misheard name: shorter names are too similar to ordinary words."""

MIN_CONSONANTS: Final = 5

_SOUNDS: Final = (
    *(("ph", "f"), ("ce", "se"), ("ci", "si"), ("cy", "sy"), ("ck", "k"), ("c", "k"), ("q", "k")),
    ("z", "s"),
    *((2 * letter, letter) for letter in "lstpmnrf"),
)
"""Pairs of a spelling and its sound, in the order of their replacement."""

_SOUNDS_LIKE_A_DRUG: Final = frozenset(("aspiring", "morphing"))


class Drug(NamedTuple):
    """A substance; `certain` is False for a name that means a drug only beside a dose."""

    substance: str
    certain: bool


class Mention(NamedTuple):
    """A drug that a sentence names, at the characters from `start` to `end` of the plain text."""

    start: int
    end: int
    drug: Drug


class _Lexicon(NamedTuple):
    by_first_word: dict[str, list[tuple[tuple[str, ...], Drug]]]
    single_words: dict[str, Drug]
    generics_by_letter: dict[str, list[str]]
    generics_by_consonants: dict[str, list[str]]


def mentions_in(sentence: Sentence) -> tuple[Mention, ...]:
    """Return the drugs that a sentence names, left to right, not overlapping."""
    return tuple(
        mention
        for mention in _mentions(sentence.plain.split(" "))
        # A name that is split between two utterances has no utterance as its evidence.
        if len(sentence.evidence(mention.start, mention.end)) == 1
    )


def _mentions(words: Sequence[str]) -> Iterator[Mention]:
    lexicon = _lexicon()
    at = start = 0
    while at < len(words):
        found = _known(lexicon, words, at) or _rejoined(lexicon, words, at)
        if found is None and (drug := _misheard(words[at])) is not None:
            found = 1, drug
        used = found[0] if found else 1
        end = start + sum(map(len, words[at : at + used])) + used - 1
        if found:
            yield Mention(start, end, found[1])
        at, start = at + used, end + 1


def _known(lexicon: _Lexicon, words: Sequence[str], at: int) -> tuple[int, Drug] | None:
    for name, drug in lexicon.by_first_word.get(words[at], ()):
        if tuple(words[at : at + len(name)]) == name:
            return len(name), drug
    return None


def _rejoined(lexicon: _Lexicon, words: Sequence[str], at: int) -> tuple[int, Drug] | None:
    """Find a long name that the recognizer wrote as two words: 'metform in'."""
    if at + 1 < len(words) and len(words[at]) + len(words[at + 1]) >= MIN_MISHEARD_LETTERS:
        drug = lexicon.single_words.get(words[at] + words[at + 1])
        if drug is not None:
            return 2, drug
    return None


@lru_cache(maxsize=20_000)
def _misheard(word: str) -> Drug | None:
    """Return the one generic name that `word` mishears; None without exactly one.

    One or two letters differ, or only vowels, which speech blurs: 'matoepralol'. Brands are not
    guessed, because many differ by one letter from an ordinary word (concert, ambient).
    """
    if len(word) < MIN_MISHEARD_LETTERS or not word.isascii() or word in _SOUNDS_LIKE_A_DRUG:
        return None
    near = [
        generic
        for generic in _lexicon().generics_by_letter.get(word[0], ())
        if _within(word, generic, edits=1 if len(generic) < 10 else 2)
    ]
    if not near and len(consonants := _consonants(word)) >= MIN_CONSONANTS:
        near = _lexicon().generics_by_consonants.get(consonants, [])
    return Drug(near[0], certain=False) if len(near) == 1 else None


def _consonants(word: str) -> str:
    """Return the consonants as they sound: 'metphormin' and 'metformin' have the same."""
    for written, sounds in _SOUNDS:
        word = word.replace(written, sounds)
    first, rest = word[:1], word[1:]
    return first + "".join(letter for letter in rest if letter not in "aeiouyhw")


def _within(word: str, other: str, edits: int) -> bool:
    """Return whether `edits` changes of a letter suffice to turn `word` into `other`."""
    if abs(len(word) - len(other)) > edits:
        return False
    above = list(range(len(other) + 1))
    for row, letter in enumerate(word, start=1):
        line = [row]
        for column, wanted in enumerate(other, start=1):
            line.append(
                min(above[column] + 1, line[-1] + 1, above[column - 1] + (letter != wanted))
            )
        if min(line) > edits:
            return False
        above = line
    return above[-1] <= edits


@lru_cache(maxsize=1)
def _lexicon() -> _Lexicon:
    lexicon = _Lexicon({}, {}, {}, {})
    for term, others in word_list("drugs.txt"):
        substance = term.removeprefix("!")
        drug = Drug(substance, certain=not term.startswith("!"))
        for name in (substance, *others):
            plain = tuple(word.plain for word in words_of(0, name))
            lexicon.by_first_word.setdefault(plain[0], []).append((plain, drug))
            if len(plain) == 1:
                lexicon.single_words[plain[0]] = drug
        if substance.isalpha() and len(substance) >= MIN_MISHEARD_LETTERS:
            lexicon.generics_by_letter.setdefault(substance[0], []).append(substance)
            lexicon.generics_by_consonants.setdefault(_consonants(substance), []).append(substance)
    for names in lexicon.by_first_word.values():
        names.sort(key=lambda named: -len(named[0]))
    return lexicon
