"""The shortcuts of the rules change nothing: what a pattern finds has what the pattern needs."""

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lumimd.adapters.rules import plan_phrases, prescribing

SHORTCUTS = [
    *plan_phrases.NEEDS.items(),
    *(
        (pattern, needed)
        for (_, pattern), needed in zip(prescribing.PATTERNS, prescribing.NEEDS, strict=True)
    ),
]


@pytest.mark.parametrize("number", range(len(SHORTCUTS)))
@settings(deadline=None, max_examples=15, suppress_health_check=list(HealthCheck), database=None)
@given(data=st.data())
def test_whatever_a_pattern_finds_has_what_it_needs(number: int, data: st.DataObject) -> None:
    pattern, needed = SHORTCUTS[number]
    text = data.draw(st.from_regex(re.compile(pattern.pattern, re.ASCII)))
    if pattern.search(text):  # what is drawn knows the borders of ASCII words alone
        assert needed.search(text)
