"""Words that the recognizer expects: names of drugs, of colleagues, of places."""

import re
from collections.abc import Sequence
from typing import Final

MOST: Final = 1000
"""Terms that the provider accepts in an order."""

MOST_OF_UNIVERSAL_2: Final = 200

MOST_WORDS: Final = 6
"""Words that one term may have."""


def key_terms(text: str) -> tuple[str, ...]:
    """The terms of a setting, separated by commas, semicolons or line ends; each one once."""
    found = dict.fromkeys(" ".join(term.split()) for term in re.split(r"[,;\n]", text))
    return tuple(term for term in found if term)


def check(terms: Sequence[str], models: Sequence[str]) -> None:
    """Raise ValueError if the models do not accept the number or the length of the terms."""
    most = MOST_OF_UNIVERSAL_2 if set(models) == {"universal-2"} else MOST
    if len(terms) > most:
        raise ValueError(f"at most {most} terms")
    if any(len(term.split()) > MOST_WORDS for term in terms):
        raise ValueError(f"at most {MOST_WORDS} words a term")
