"""A summary is accepted only when every statement rests on words that were spoken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumimd.analysis.visit_summary import MAX_STORED_BYTES, check, summarize
from lumimd.clinical import ActionItem, Diagnosis, Medication, Statement, VisitSummary
from lumimd.errors import ErrorCode, Permanent
from lumimd.transcript import Transcript
from tests.support.parts import transcript
from tests.support.summaries import summary_of

HEARD = transcript()
GOOD = summary_of(HEARD)
FIELDS = {
    "summary": lambda evidence: [Statement(text="Said.", evidence=evidence)],
    "diagnoses": lambda evidence: [Diagnosis(name="Cough", evidence=evidence)],
    "imaging": lambda evidence: [Statement(text="An x-ray.", evidence=evidence)],
    "next_steps": lambda evidence: [Statement(text="Come back.", evidence=evidence)],
    "education": lambda evidence: [Statement(text="Rest.", evidence=evidence)],
    "action_items": lambda evidence: [ActionItem(text="Rest.", due=None, evidence=evidence)],
}


def refused(summary: VisitSummary) -> None:
    with pytest.raises(Permanent) as raised:
        check(summary, HEARD)
    assert raised.value.code is ErrorCode.SUMMARY_INVALID


def test_a_summary_that_rests_on_the_transcript_is_accepted() -> None:
    check(GOOD, HEARD)


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("evidence", [[], ["u99"], ["u1", "u99"], [""]])
def test_a_statement_without_a_basis_refuses_the_whole_summary(
    field: str, evidence: list[str]
) -> None:
    refused(GOOD.model_copy(update={field: FIELDS[field](evidence)}))


@pytest.mark.parametrize("group", ["started", "stopped", "changed"])
def test_an_invented_medication_refuses_the_whole_summary(group: str) -> None:
    invented = Medication(name="Placebex", dose=None, frequency=None, evidence=["u99"])
    medications = GOOD.medications.model_copy(update={group: [invented]})
    refused(GOOD.model_copy(update={"medications": medications}))


def test_a_summary_that_says_nothing_is_no_summary() -> None:
    refused(GOOD.model_copy(update={"summary": []}))


def test_a_summary_that_would_not_fit_into_a_document_is_refused() -> None:
    endless = Statement(text="x" * MAX_STORED_BYTES, evidence=["u1"])
    refused(GOOD.model_copy(update={"summary": [endless]}))


@given(st.lists(st.text(max_size=4), max_size=3))
def test_only_ids_of_the_transcript_are_evidence(evidence: list[str]) -> None:
    summary = GOOD.model_copy(update={"education": FIELDS["education"](evidence)})
    if evidence and set(evidence) <= HEARD.ids:
        check(summary, HEARD)
    else:
        refused(summary)


async def test_what_a_summarizer_invents_never_gets_out() -> None:
    class Inventive:
        source = "model"

        async def summarize(self, transcript: Transcript) -> VisitSummary:
            return GOOD.model_copy(update={"summary": FIELDS["summary"](["u99"])})

    with pytest.raises(Permanent):
        await summarize(HEARD, Inventive())  # type: ignore[arg-type]
