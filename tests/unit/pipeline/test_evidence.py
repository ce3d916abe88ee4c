"""Test that cited ids in any spelling are resolved to utterances of the transcript."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumimd.domain.clinical import ActionItem, Diagnosis, Medication, Statement
from lumimd.domain.transcript import Transcript
from lumimd.pipeline.analysis.evidence import MAX_EVIDENCE, Ids, supported
from tests.support.services import transcript
from tests.support.summaries import summary_of

HEARD = transcript()
LONG = transcript([("A", "Hm.")] * 60)
GOOD = summary_of(HEARD)

FIELDS = {
    "summary": lambda evidence: Statement(text="Said.", evidence=evidence),
    "diagnoses": lambda evidence: Diagnosis(name="Cough", evidence=evidence),
    "imaging": lambda evidence: Statement(text="An x-ray.", evidence=evidence),
    "next_steps": lambda evidence: Statement(text="Come back.", evidence=evidence),
    "education": lambda evidence: Statement(text="Rest.", evidence=evidence),
    "action_items": lambda evidence: ActionItem(text="Rest.", due=None, evidence=evidence),
}


@pytest.mark.parametrize(
    ("cited", "meant"),
    [
        (["u1"], ["u1"]),
        (["U1"], ["u1"]),
        ([" u4 "], ["u4"]),
        (["[u4]"], ["u4"]),
        (["'u4'."], ["u4"]),
        (["u2", "U2", "u2 "], ["u2"]),
        (["u1-u3"], ["u1", "u2", "u3"]),
        (["u1\u2013u2"], ["u1", "u2"]),
        (["u1 - u2"], ["u1", "u2"]),
        (["U1 to U2"], ["u1", "u2"]),
        (["u1, u3"], ["u1", "u3"]),
        (["u1 u3;u4"], ["u1", "u3", "u4"]),
        (["u3", "u1"], ["u3", "u1"]),
        (["u1", "u99"], ["u1"]),
        (["u99"], []),
        (["u3-u1"], []),
        (["u1-u99"], []),
        (["1"], []),
        (["u"], []),
        (["", " "], []),
        ([], []),
    ],
)
def test_cited_ids_are_resolved_when_they_are_unambiguous(
    cited: list[str], meant: list[str]
) -> None:
    assert Ids(HEARD).meant_by(cited) == meant


def test_a_statement_cites_a_bounded_number_of_utterances() -> None:
    cited = [each.id for each in LONG.utterances]
    assert Ids(LONG).meant_by(cited) == cited[:MAX_EVIDENCE]
    assert Ids(LONG).meant_by(["u1-u60"]) == [], "a citation of the whole visit is no evidence"


def test_two_ids_that_differ_only_in_case_are_both_resolved() -> None:
    a, b = HEARD.utterances[:2]
    heard = Transcript(utterances=(a.model_copy(update={"id": "x"}), b))
    both = Transcript(
        utterances=(*heard.utterances, HEARD.utterances[2].model_copy(update={"id": "X"}))
    )
    assert Ids(both).meant_by(["x"]) == ["x"]
    assert Ids(both).meant_by(["X"]) == ["X"]


@given(st.lists(st.text(max_size=8), max_size=4))
def test_evidence_is_always_from_the_transcript_and_without_duplicates(cited: list[str]) -> None:
    meant = Ids(HEARD).meant_by(cited)
    assert HEARD.ids.issuperset(meant)
    assert len(set(meant)) == len(meant)


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("evidence", [[], ["u99"], [""]])
def test_statements_without_valid_evidence_are_left_out_and_counted(
    field: str, evidence: list[str]
) -> None:
    good, bad = FIELDS[field](["u2"]), FIELDS[field](evidence)
    found = supported(GOOD.model_copy(update={field: [good, bad, good]}), HEARD)
    assert found.left_out == 1
    assert getattr(found.summary, field) == [good, good]
    others = {name: getattr(GOOD, name) for name in FIELDS if name != field}
    assert {name: getattr(found.summary, name) for name in others} == others


@pytest.mark.parametrize("group", ["started", "stopped", "changed"])
def test_a_medication_without_valid_evidence_is_left_out(group: str) -> None:
    invented = Medication(name="Placebex", dose=None, frequency=None, evidence=["u99"])
    medications = GOOD.medications.model_copy(update={group: [invented]})
    found = supported(GOOD.model_copy(update={"medications": medications}), HEARD)
    assert found.left_out == 1
    assert getattr(found.summary.medications, group) == []


def test_statements_with_valid_evidence_stay_unchanged() -> None:
    found = supported(GOOD, HEARD)
    assert (found.summary, found.left_out) == (GOOD, 0)
    assert found.kept == 4
