"""Read numbers spoken in words: 'twenty five' -> '25', 'zero point four' -> '0.4'."""

from collections.abc import Sequence
from typing import Final

from lumimd.rules.patterns import compiled

_UNDER_TWENTY: Final = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen"
)
_UNITS: Final = {word: value for value, word in enumerate(_UNDER_TWENTY.split())}
_TENS: Final = {
    word: 10 * value
    for value, word in enumerate(
        ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"), start=2
    )
}
_COUNTED: Final = compiled(r"""
    milligrams?|mg|grams?|micrograms?|mcg|units?|tablets?|pills?|capsules?|puffs?|drops?|sprays?|
    times?|hours?|days?|weeks?|months?|years?|more|point|to|or
""")
"""The words before which 'one' is a number; elsewhere it is a pronoun ('that one')."""


_BEGINS: Final = frozenset((*_UNITS, *_TENS, "a", "point"))


def spoken_number(words: Sequence[str], at: int) -> tuple[str, int]:
    """Return the number that begins at `words[at]`, in digits, and its length in words.

    `words` are lower case. Returns ('', 0) if no number begins there. Only well-formed numbers are
    joined: 'one fifty' stays two numbers, because it may mean '1 tablet of 50' or '150'.
    """
    if words[at] not in _BEGINS:
        return "", 0
    value, used = _below_thousand(words, at)
    if used and at + used < len(words) and words[at + used] == "thousand":
        value, used = value * 1000, used + 1
        rest, more = _below_thousand(words, at + used)
        # Joins 'two thousand five hundred', but not 'two thousand, two', which may be two numbers.
        if more and rest >= 100:
            value, used = value + rest, used + more
    digits, used = str(value), used
    if words[at : at + 1] == ["point"]:
        digits, used = "0", 0
    elif not used:
        return "", 0
    tail, more = _decimals(words, at + used)
    if more:
        return f"{digits}.{tail}", used + more
    is_counted = at + 1 < len(words) and _COUNTED.fullmatch(words[at + 1])
    if not used or (words[at] == "one" and used == 1 and not is_counted):
        return "", 0
    return digits, used


def _below_thousand(words: Sequence[str], at: int) -> tuple[int, int]:
    """Return a number under one thousand that begins at `at`, and its length in words (0: none)."""
    value, used = _below_hundred(words, at)
    if not used and words[at : at + 2] in (["a", "hundred"], ["a", "thousand"]):
        value, used = 1, 1
    if used and words[at + used : at + used + 1] == ["hundred"]:
        value, used = value * 100, used + 1
        joint = 1 if words[at + used : at + used + 1] == ["and"] else 0
        rest, more = _below_hundred(words, at + used + joint)
        # The stutter 'five hundred five hundred' must not become 505.
        after = at + used + joint + more
        if more and words[after : after + 1] not in (["hundred"], ["thousand"]):
            value, used = value + rest, after - at
    return value, used


def _below_hundred(words: Sequence[str], at: int) -> tuple[int, int]:
    if at >= len(words):
        return 0, 0
    if words[at] in _UNITS:
        return _UNITS[words[at]], 1
    if words[at] not in _TENS:
        return 0, 0
    ones = _UNITS.get(words[at + 1], 0) if at + 1 < len(words) else 0
    return (_TENS[words[at]] + ones, 2) if 0 < ones < 10 else (_TENS[words[at]], 1)


def _decimals(words: Sequence[str], at: int) -> tuple[str, int]:
    """Return the digits after 'point', for example ('25', 3) for 'point two five'."""
    if words[at : at + 1] != ["point"]:
        return "", 0
    digits, used = "", 1
    while at + used < len(words) and _UNITS.get(words[at + used], 10) < 10:
        digits += str(_UNITS[words[at + used]])
        used += 1
    return (digits, used) if digits else ("", 0)
