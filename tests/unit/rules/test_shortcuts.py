"""Prefilters of the rules change no result: each text that matches passes its prefilter."""

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lumimd.rules import plan_phrases, prescribing
from tests.support.examples import examples

SHORTCUTS = [
    *plan_phrases.NEEDS.items(),
    *(
        (pattern, needed)
        for (_, pattern), needed in zip(prescribing.PATTERNS, prescribing.NEEDS, strict=True)
    ),
]


@pytest.mark.parametrize("number", range(len(SHORTCUTS)))
@settings(
    deadline=None, max_examples=examples(15), suppress_health_check=list(HealthCheck), database=None
)
@given(data=st.data())
def test_every_match_of_a_pattern_passes_its_prefilter(number: int, data: st.DataObject) -> None:
    pattern, needed = SHORTCUTS[number]
    text = data.draw(st.from_regex(re.compile(pattern.pattern, re.ASCII)))
    if pattern.search(text):  # drawn texts respect the borders of ASCII words alone
        assert needed.search(text)
