"""Read the frequency of a drug: 'twice a day', 'every 6 to 8 hours as needed'."""

import re
from collections.abc import Sequence
from typing import Final

from lumimd.rules.patterns import compiled

COUNT: Final = r"(?:once|twice|(?:1|2|3|4|5|6) times?)"
PER: Final = r"(?:a|an|per|each|every|1)"

_NUMBER: Final = r"\d+(?:\.\d+)?"
_TIMES: Final = re.compile(
    rf"(?P<count>{COUNT}) (?:{PER} (?P<period>day|week|month)|(?P<adverb>daily|weekly|nightly))\b"
)
_HOURLY: Final = re.compile(
    rf"every (?P<span>{_NUMBER}(?: (?:to|or) {_NUMBER})?|other) (?P<period>hours?|days?|weeks?)\b"
)
_EVERY: Final = compiled(r"""
    (?:(?:every|each) (?:morning|evening|night|week|month|(?:single )?day)|
    (?:a|per) (?:day|week)|daily|nightly|weekly)\b
""")
_WHEN: Final = compiled(r"""
    (?:(?:right |just )?(?:before|at) (?:you go to )?bed(?:time)?|at night|on an empty stomach|
    (?:first thing )?in the (?:morning|evening|afternoon)|
    (?:before|after|with) (?:your |each |every |a )?
    (?:breakfast|lunch|dinner|supper|meals?|food|eating)|
    (?:just )?(?:as|when|if) (?:it is )?needed|(?:when|if|as) you need (?:it|them))\b
""")
_COUNTS: Final = {
    "1 time": "once",
    "1 times": "once",
    "2 times": "twice",
    "3 times": "three times",
    "4 times": "four times",
    "5 times": "five times",
    "6 times": "six times",
}
_PERIODS: Final = {"daily": "day", "weekly": "week", "nightly": "night"}
_SAME: Final = {
    **dict.fromkeys(("each day", "every day", "every single day", "a day", "per day"), "daily"),
    **dict.fromkeys(("a week", "per week", "every week", "each week"), "weekly"),
    "each morning": "every morning",
    "each night": "every night",
    "each evening": "every evening",
}
_RATES: Final = ("once", "twice", "three", "four", "five", "six", "every ")


def frequency_at(plain: str, at: int) -> tuple[str, int] | None:
    """Return the frequency that begins at the character `at`, in plain words, and its end."""
    if match := _TIMES.match(plain, at):
        count = _COUNTS.get(match["count"], match["count"])
        return f"{count} a {match['period'] or _PERIODS[match['adverb']]}", match.end()
    if match := _HOURLY.match(plain, at):
        span = match["span"].replace(" or ", " to ")
        return f"every {span} {match['period']}", match.end()
    if match := _EVERY.match(plain, at):
        return _SAME.get(match[0], match[0]), match.end()
    if match := _WHEN.match(plain, at):
        return _when(match[0]), match.end()
    return None


def joined(frequencies: Sequence[str]) -> str | None:
    """Join the parts in the order said; return None if two parts contradict each other."""
    parts = list(dict.fromkeys(frequencies))
    rates = [part for part in parts if part.startswith(_RATES)]
    if rates and "daily" in parts:
        parts.remove("daily")
    clashing = {rate for rate in rates if "morning" not in rate and "night" not in rate}
    return None if len(clashing) > 1 else " ".join(parts) or None


def _when(said: str) -> str:
    if "need" in said:
        return "as needed"
    if "bed" in said:
        return "at bedtime"
    return said.removeprefix("first thing ").replace("your ", "").replace("eating", "meals")
