"""Read the dose and frequency said beside a drug's name."""

import re
from typing import Final, NamedTuple

from lumimd.rules.frequencies import COUNT, PER, frequency_at, joined
from lumimd.rules.patterns import compiled, one_line

_NUMBER: Final = r"\d+(?:\.\d+)?"
_UNIT: Final = one_line(r"""
    (?:mg|mcg|grams?|g|mL|units?|percent|tablets?|tabs?|pills?|capsules?|puffs?|drops?|sprays?|
    patch(?:es)?|teaspoons?|tablespoons?)
""")
DOSE: Final = rf"(?:{_NUMBER} (?:to |or )?)?{_NUMBER} (?:international )?{_UNIT}\b"

_DOSE: Final = compiled(rf"""
    (?:(?P<low>{_NUMBER}) (?P<joint>to |or )?)?
    (?P<number>{_NUMBER}) (?:international )?(?P<unit>{_UNIT})\b
""")
_FILLER: Final = compiled(r"""
    (?:and|so|it is|it will be|that is|that will be|this is|at|of|a|an|the|which is|dose|
    tablets?|pills?|capsules?|to be taken|by mouth|orally|probably|about|just|inhaler|cream|gel|
    spray|for (?:pain|the pain)|for your \w+|(?:and |so )?
    (?:i (?:want|would like) you to |you (?:can |will |are going to |should )?)?
    (?:take|use|be taking|taking|try)(?: (?:that|it|this|one|them|those))?)\b
""")
_CORRECTION: Final = re.compile(
    r"(?:no|sorry|actually|i mean|make that|or rather)\b(?: sorry| actually)?"
)
_FROM: Final = compiled(rf"""
    from (?:(?:{DOSE}|{_NUMBER})(?: {COUNT} {PER} (?:day|week)| daily)?|
    {COUNT} {PER} (?:day|week)|\w+ daily)(?= (?:up |down )?to\b)
""")
_TO: Final = re.compile(r"(?:(?:up|down|back) )?to\b")
_BY: Final = re.compile(rf"by {DOSE}")
_UNITS: Final = {"tab": "tablet", "tabs": "tablets", "gram": "g", "grams": "g", "percent": "%"}
_MOST_FILLERS: Final = 8


class Regimen(NamedTuple):
    """A dose and a frequency, read up to the character `end` of the plain text."""

    dose: str | None
    frequency: str | None
    end: int

    @property
    def is_empty(self) -> bool:
        """True if neither dose nor frequency was said."""
        return self.dose is None and self.frequency is None


def first_dose(plain: str) -> str | None:
    """Return the first dose in a text, for example '10 mg'; None if no dose is clear."""
    match = _DOSE.search(plain)
    return _dose(match) if match else None


def read_regimen(plain: str, at: int, dose: str | None = None) -> Regimen:
    """Read dose and frequency from the character `at` on, until the text changes its subject.

    `dose` is a dose said before the name. Contradictory doses are left out, because a wrong dose is
    worse than a missing one.
    """
    frequencies: list[str] = []
    doses = [dose] if dose else []
    end, is_corrected = at, False
    while True:
        at = _after_space(plain, end)
        if match := _FROM.match(plain, at):
            # 'From 10 mg to 20 mg': only the second dose is the new one.
            doses = []
        elif match := _BY.match(plain, at):
            pass
        elif match := _DOSE.match(plain, at):
            value = _dose(match)
            if value is None:
                return Regimen(None, joined(frequencies), match.end())
            doses = [value] if is_corrected else [*doses, value]
        elif found := frequency_at(plain, at):
            frequency, end = found
            frequencies.append(frequency)
            continue
        elif (match := _CORRECTION.match(plain, at)) and _DOSE.match(plain, match.end() + 1):
            is_corrected = True
        else:
            match = _TO.match(plain, at) or _FILLER.match(plain, at)
            if match is None or not _says_regimen(plain, _skip_filler(plain, match.end())):
                break
        end = match.end()
    said = set(doses)
    return Regimen(said.pop() if len(said) == 1 else None, joined(frequencies), end)


def _after_space(plain: str, at: int) -> int:
    return at + 1 if plain[at : at + 1] == " " else at


def _skip_filler(plain: str, at: int) -> int:
    """Return the position after words that contain no dose or frequency."""
    for _ in range(_MOST_FILLERS):
        start = _after_space(plain, at)
        match = _FILLER.match(plain, start) or _TO.match(plain, start)
        if match is None:
            return start
        at = match.end()
    return at


def _says_regimen(plain: str, at: int) -> bool:
    return bool(
        _DOSE.match(plain, at) or _FROM.match(plain, at) or frequency_at(plain, at) is not None
    )


def _dose(match: re.Match[str]) -> str | None:
    unit = _UNITS.get(match["unit"], match["unit"])
    number, low, joint = match["number"], match["low"], match["joint"]
    glued = unit if unit == "%" else f" {unit}"
    if low is None or low == number:
        return f"{number}{glued}"
    if joint is None:
        # '1 50 mg' is 150 mg or one tablet of 50 mg: ambiguous.
        return None
    return f"{low} {joint}{number}{glued}"
