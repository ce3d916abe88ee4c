"""Test that each text that matches a pattern of the rules passes its faster prefilter."""

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
def test_every_text_that_matches_a_pattern_passes_its_prefilter(
    number: int, data: st.DataObject
) -> None:
    pattern, needed = SHORTCUTS[number]
    text = data.draw(st.from_regex(re.compile(pattern.pattern, re.ASCII)))
    if pattern.search(text):  # a drawn text may fit only the ASCII form of the pattern
        assert needed.search(text)
