"""Test that a bad answer is requested again once and only supported statements are kept."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lumimd.adapters.memory.database import MAX_DOCUMENT_BYTES
from lumimd.domain.clinical import Statement, VisitSummary
from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import BadAnswer, Held, NotCharged, Permanent, Transient
from lumimd.domain.events.summary import SummaryStored
from lumimd.domain.transcript import Transcript
from lumimd.domain.visit import ProcessingStatus
from lumimd.pipeline.analysis.visit_summary import (
    ASKS,
    MAX_ITEMS,
    MAX_STORED_BYTES,
    Bill,
    check,
    stored_bytes,
    summarize,
)
from lumimd.rules.summarizer import summary_by_rules
from lumimd.telemetry import logs
from tests.monitoring.lines import Lines
from tests.support.examples import examples
from tests.support.services import START, transcript
from tests.support.summaries import summary_of
from tests.unit.domain.test_state_machine import visit_in

HEARD = transcript()
GOOD = summary_of(HEARD)
BAD = Statement(text="Invented.", evidence=["u99"])
USELESS = GOOD.model_copy(update={"summary": [BAD]})


def with_bad(number: int) -> VisitSummary:
    """Return a good answer with `number` statements whose evidence is invalid."""
    return GOOD.model_copy(update={"education": [BAD] * number})


class Scripted:
    """A stub model with scripted answers and errors that records corrective requests."""

    def __init__(self, *answers: VisitSummary | Exception, source: str = "model") -> None:
        self.source = source
        self.answers = list(answers)
        self.asked_after: list[ErrorCode] = []

    async def summarize(self, transcript: Transcript) -> VisitSummary:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def after(self, bad: BadAnswer) -> "Scripted":
        self.asked_after.append(bad.code)
        return self


async def made(model: Scripted) -> tuple[VisitSummary, int]:
    bill = Bill()
    return await summarize(HEARD, model, bill), bill.answers  # type: ignore[arg-type]


INVALID = BadAnswer(ErrorCode.SUMMARY_INVALID)
CUT_OFF = BadAnswer(ErrorCode.SUMMARY_TRUNCATED)
REFUSED = BadAnswer(ErrorCode.SUMMARY_REFUSED, may_get_better=False)
TOO_LONG = NotCharged(ErrorCode.SUMMARY_TRUNCATED)
AWAY = Transient(ErrorCode.SUMMARY_UNAVAILABLE)
DOWN = Held(ErrorCode.SUMMARY_UNAVAILABLE)


@pytest.mark.parametrize(
    ("answers", "paid"),
    [
        ([GOOD], 1),
        ([INVALID, GOOD], 2),
        ([CUT_OFF, GOOD], 2),
        ([USELESS, GOOD], 2),
        ([with_bad(1), GOOD], 2),
        # Of two answers with bad statements the better one is kept, without the bad statements.
        ([with_bad(1), with_bad(1)], 2),
        ([with_bad(1), INVALID], 2),
        ([INVALID, with_bad(1)], 2),
        ([with_bad(1), REFUSED], 2),
        # The first answer is kept when the second request has no answer.
        ([with_bad(1), AWAY], 1),
        ([with_bad(1), DOWN], 1),
        ([with_bad(1), TOO_LONG], 1),
    ],
)
async def test_a_bad_answer_costs_at_most_a_second_answer_and_a_summary_is_made(
    answers: list[Any], paid: int
) -> None:
    model = Scripted(*answers)
    assert await made(model) == (GOOD, paid)
    assert model.answers == []


@pytest.mark.parametrize(
    ("answers", "raised", "paid"),
    [
        ([INVALID, INVALID, GOOD], INVALID, 2),
        ([CUT_OFF, CUT_OFF, GOOD], CUT_OFF, 2),
        ([USELESS, USELESS, GOOD], None, 2),
        ([INVALID, REFUSED, GOOD], REFUSED, 2),
        ([INVALID, AWAY, GOOD], AWAY, 1),
        ([REFUSED, GOOD], REFUSED, 1),
        ([TOO_LONG, GOOD], TOO_LONG, 0),
        ([AWAY, GOOD], AWAY, 0),
    ],
)
async def test_at_most_two_answers_are_paid_before_the_summary_fails(
    answers: list[Any], raised: Exception | None, paid: int
) -> None:
    model, bill = Scripted(*answers), Bill()
    with pytest.raises((Permanent, Transient)) as failure:
        await summarize(HEARD, model, bill)  # type: ignore[arg-type]
    assert raised is None or failure.value is raised
    assert len(model.answers) == 1
    assert bill.answers == paid <= ASKS


async def test_the_answer_with_fewer_bad_statements_is_kept() -> None:
    rich = with_bad(1).model_copy(update={"imaging": [Statement(text="X-ray.", evidence=["u2"])]})
    clean = rich.model_copy(update={"education": []})
    assert (await made(Scripted(with_bad(2), rich)))[0] == clean
    assert (await made(Scripted(rich, with_bad(2))))[0] == clean
    assert (await made(Scripted(with_bad(1), rich)))[0] == clean, (
        "of two with as many bad statements, the one with more content"
    )
    assert (await made(Scripted(rich, with_bad(1))))[0] == clean


async def test_the_second_request_contains_the_error_code_of_the_first_answer() -> None:
    model = Scripted(CUT_OFF, GOOD)
    await made(model)
    assert model.asked_after == [ErrorCode.SUMMARY_TRUNCATED]


async def test_a_summarizer_without_a_corrective_request_repeats_its_request() -> None:
    class Plain:
        source = "model"
        calls = 0

        async def summarize(self, transcript: Transcript) -> VisitSummary:
            self.calls += 1
            return USELESS if self.calls == 1 else GOOD

    assert await summarize(HEARD, Plain(), Bill()) == GOOD  # type: ignore[arg-type]


async def test_the_rules_are_called_once_and_no_answer_is_paid() -> None:
    rules, bill = Scripted(USELESS, GOOD, source="rules"), Bill()
    with pytest.raises(Permanent):
        await summarize(HEARD, rules, bill)  # type: ignore[arg-type]
    assert (len(rules.answers), bill.answers) == (1, 0)


async def test_bad_answers_log_codes_and_counts_only() -> None:
    logs.configure(to=(written := Lines()))
    await made(Scripted(with_bad(2), CUT_OFF))
    assert [(line["event"], line.get("code"), line.get("count")) for line in written.all()] == [
        ("bad_answer", "summary_invalid", None),
        ("bad_answer", "summary_truncated", None),
        ("statements_left_out", None, 2),
    ]


# Answers that do not fit into a document.


def test_an_empty_summary_is_a_bad_answer() -> None:
    with pytest.raises(BadAnswer):
        check(GOOD.model_copy(update={"summary": []}), HEARD)


@pytest.mark.parametrize("field", ["summary", "education"])
def test_a_list_with_too_many_items_is_a_bad_answer(field: str) -> None:
    said = Statement(text="Said.", evidence=["u1"])
    check(GOOD.model_copy(update={field: [said] * MAX_ITEMS}), HEARD)
    with pytest.raises(BadAnswer):
        check(GOOD.model_copy(update={field: [said] * (MAX_ITEMS + 1)}), HEARD)


def document_of(summary: VisitSummary) -> int:
    """Return the bytes of a visit's document with the summary and the longest title and tags."""
    visit = visit_in(ProcessingStatus.SUMMARIZING).model_copy(
        update={"title": "\u8a3a" * 200, "tags": ("\u8a3a" * 50,) * 10}
    )
    stored = SummaryStored(1, "model", summary, ("a" * 40,) * MAX_ITEMS)
    results = visit.model_copy(update=stored.changes(visit, START))
    return len(json.dumps(results.to_stored(), default=str, ensure_ascii=False).encode())


SCRIPTS = st.sampled_from(["x", "\u00e9", "\u0939", "\u8a3a", "\U0001f48a", '"', "\n"])


@settings(deadline=None, max_examples=examples(30), suppress_health_check=[HealthCheck.too_slow])
@given(
    letter=SCRIPTS,
    letters=st.integers(1, 12_000),
    items=st.integers(1, MAX_ITEMS),
    field=st.sampled_from(["summary", "education"]),
)
def test_an_accepted_summary_fits_into_a_document_in_any_script(
    letter: str, letters: int, items: int, field: str
) -> None:
    statement = Statement(text=letter * letters, evidence=["u1", "u2"])
    summary = GOOD.model_copy(update={field: [statement] * items})
    try:
        check(summary, HEARD)
    except BadAnswer:
        assert stored_bytes(summary) > MAX_STORED_BYTES
    else:
        assert document_of(summary) < MAX_DOCUMENT_BYTES


def test_the_bytes_of_the_summary_field_count_twice_for_the_size_limit() -> None:
    letters = MAX_STORED_BYTES // 3 // 2 - 2_000
    cjk = Statement(text="\u8a3a" * letters, evidence=["u1"])
    check(GOOD.model_copy(update={"summary": [cjk]}), HEARD)
    longer = Statement(text="\u8a3a" * (letters + 3_000), evidence=["u1"])
    with pytest.raises(BadAnswer):
        check(GOOD.model_copy(update={"summary": [longer]}), HEARD)
    check(GOOD.model_copy(update={"education": [longer]}), HEARD)


@settings(deadline=None, max_examples=examples(12), suppress_health_check=[HealthCheck.too_slow])
@given(
    text=st.sampled_from(
        [
            "\u8a3a\u5bdf",
            "\u0926\u0935\u093e ",
            "I have diabetes and asthma. ",
            "Start metformin 500 mg, stop aspirin, take lisinopril 10 mg. ",
            "You need to order an x-ray and follow up next week. ",
        ]
    ),
    times=st.integers(1, 2_000),
    utterances=st.integers(1, 5),
)
def test_a_rule_based_summary_fits_into_a_document(text: str, times: int, utterances: int) -> None:
    heard = transcript([("A", text * times)] * utterances)
    summary = summary_by_rules(heard)
    assert stored_bytes(summary) < MAX_STORED_BYTES
    if summary.summary:
        check(summary, heard)
