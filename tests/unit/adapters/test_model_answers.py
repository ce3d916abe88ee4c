"""Test that a model's answer is read completely if exactly one reading of it is possible."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lumimd.adapters.openai.model_answers import MAX_CHARACTERS, read_summary
from lumimd.domain.clinical import Medications, Statement, VisitSummary
from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import BadAnswer
from tests.support.examples import examples
from tests.support.services import transcript
from tests.support.summaries import summary_of

GOOD = summary_of(transcript())
STORED = GOOD.to_stored()
TEXT = json.dumps(STORED)
UNREADABLE = Statement(text="", evidence=[])

ONE_READING = {
    "as it is": TEXT,
    "a mark of byte order": f"\ufeff{TEXT}",
    "white space around": f"\n\n \t{TEXT}\u3000\n",
    "a fence": f"```json\n{TEXT}\n```",
    "a fence without a language": f"```\n{TEXT}\n```",
    "a sentence before": f"Here is the summary:\n\n{TEXT}",
    "a sentence with braces before": f"I use {{}} and {{x}}: {TEXT}",
    "text behind": f"{TEXT}\n\nLet me know if you need more.",
    "another object behind": f'{TEXT}\n{{"note": "done"}}',
    "the same object twice": TEXT + TEXT,
    "the same object twice, in another layout": TEXT + json.dumps(STORED, indent=2),
    "a second copy that is cut off": TEXT + TEXT[:100],
    "thoughts": f'<think>Perhaps {{"summary": []}}?</think>{TEXT}',
    "the names that Python uses": json.dumps(GOOD.model_dump()),
    "more fields": json.dumps(STORED | {"confidence": 0.9, "notes": {"a": 1}}),
    "wrapped": json.dumps({"visitSummary": STORED}),
}

NO_READING = {
    "nothing": "",
    "white space": " \n\t",
    "prose": "The patient has a cough.",
    "cut off": TEXT[:-1],
    "cut off early": TEXT[: len(TEXT) // 2],
    "an empty object": "{}",
    "another object": '{"note": "done"}',
    "a list": "[]",
    "null": "null",
    "two different objects": TEXT + json.dumps(STORED | {"summary": []}),
    "endless braces": "{" * 10_000,
    "endless nesting": '{"a":' * 100_000,
    "endless": TEXT + " " * MAX_CHARACTERS,
    "a number that is too long": f'{{"summary": {"9" * 10_000}}}',
}


@pytest.mark.parametrize("answer", ONE_READING.values(), ids=ONE_READING.keys())
def test_an_answer_with_exactly_one_possible_summary_is_read(answer: str) -> None:
    assert read_summary(answer) == GOOD


@pytest.mark.parametrize("answer", NO_READING.values(), ids=NO_READING.keys())
def test_an_answer_with_no_or_several_possible_summaries_is_a_bad_answer(answer: str) -> None:
    with pytest.raises(BadAnswer) as raised:
        read_summary(answer)
    assert raised.value.code is ErrorCode.SUMMARY_INVALID


@pytest.mark.parametrize("field", STORED)
def test_a_missing_or_null_list_in_an_answer_is_read_as_empty(field: str) -> None:
    missing = {name: value for name, value in STORED.items() if name != field}
    null = STORED | {field: None}
    assert read_summary(json.dumps(missing)) == read_summary(json.dumps(null))
    assert read_summary(json.dumps(null)).to_stored() == STORED | {
        field: {"started": [], "stopped": [], "changed": []} if field == "medications" else []
    }


@pytest.mark.parametrize("medications", [{}, {"started": None}, {"stopped": []}])
def test_a_missing_or_null_list_of_medications_is_read_as_empty(medications: Any) -> None:
    read = read_summary(json.dumps(STORED | {"medications": medications}))
    assert read.medications == Medications(started=[], stopped=[], changed=[])


def test_missing_dose_frequency_and_due_are_read_as_none() -> None:
    medication = {"name": "amoxicillin", "evidence": ["u1"]}
    action = {"text": "Rest.", "evidence": ["u1"]}
    changed = {"medications": {"started": [medication]}, "actionItems": [action]}
    read = read_summary(json.dumps(STORED | changed))
    assert (read.medications.started[0].dose, read.medications.started[0].frequency) == (None, None)
    assert read.action_items[0].due is None


@pytest.mark.parametrize("evidence", ["u1", ["u1"], ["u1", None, 3, {"id": "u2"}]])
def test_only_strings_in_an_answer_are_accepted_as_evidence(evidence: Any) -> None:
    read = read_summary(json.dumps({"summary": [{"text": "A cough.", "evidence": evidence}]}))
    assert read.summary == [Statement(text="A cough.", evidence=["u1"])]


@pytest.mark.parametrize(
    "item",
    ["A cough.", 3, [], {}, {"text": 3, "evidence": ["u1"]}, {"text": None, "evidence": ["u1"]}],
)
def test_an_unreadable_item_is_read_as_an_empty_statement_without_evidence(item: Any) -> None:
    good = {"text": "A cough.", "evidence": ["u1"]}
    read = read_summary(json.dumps({"summary": [good, item, good]}))
    assert [each.evidence for each in read.summary] == [["u1"], [], ["u1"]]
    assert read.summary[1] == UNREADABLE


def test_a_lone_surrogate_is_replaced_so_that_the_summary_can_be_stored() -> None:
    read = read_summary(json.dumps({"summary": [{"text": "A \ud83d cough.", "evidence": ["u1"]}]}))
    assert read.summary[0].text == "A ? cough."


def test_an_item_in_place_of_a_list_is_read_as_a_list_with_one_item() -> None:
    read = read_summary(json.dumps({"summary": {"text": "A cough.", "evidence": "u1"}}))
    assert read.summary == [Statement(text="A cough.", evidence=["u1"])]


ANY = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*STORED, "text", "name", "dose", "due", "evidence", "started", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@settings(max_examples=examples(40, nightly=1_000))
@given(ANY)
def test_any_json_is_read_as_a_storable_summary_or_raises_bad_answer(value: Any) -> None:
    try:
        read = read_summary(json.dumps(value))
    except BadAnswer:
        return
    assert VisitSummary.from_stored(read.to_stored()) == read
    json.dumps(read.to_stored(), ensure_ascii=False).encode()  # can be stored


@given(st.text(), st.text())
def test_text_around_an_answer_is_ignored_or_makes_it_a_bad_answer(
    before: str, behind: str
) -> None:
    try:
        assert read_summary(before + TEXT + behind) == GOOD
    except BadAnswer:
        assert "{" in before + behind or '"' in before
