"""Words that the recognizer is told to expect: names of drugs, of colleagues, of places."""

import re
from collections.abc import Sequence
from typing import Final

MOST: Final = 1000
"""Terms that the provider takes in an order."""

MOST_OF_UNIVERSAL_2: Final = 200

MOST_WORDS: Final = 6
"""Words that one term may have."""


def key_terms(text: str) -> tuple[str, ...]:
    """The terms of a setting, separated by commas, semicolons or line ends; each one once."""
    found = dict.fromkeys(" ".join(term.split()) for term in re.split(r"[,;\n]", text))
    return tuple(term for term in found if term)


def check(terms: Sequence[str], models: Sequence[str]) -> None:
    """Raises ValueError where the models do not take so many terms, or such long ones."""
    most = MOST_OF_UNIVERSAL_2 if set(models) == {"universal-2"} else MOST
    if len(terms) > most:
        raise ValueError(f"at most {most} terms")
    if any(len(term.split()) > MOST_WORDS for term in terms):
        raise ValueError(f"at most {MOST_WORDS} words a term")
