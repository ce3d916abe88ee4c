"""Test the rule-based summary: diagnoses, plans, overview, and generated transcripts."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lumimd.domain.clinical import Medication, VisitSummary
from lumimd.domain.transcript import Role, Transcript
from lumimd.rules.summarizer import MAX_EVIDENCE, MAX_ITEMS, RulesSummarizer, summary_by_rules
from tests.support.dialogue import visit
from tests.support.examples import examples


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("D: You have high blood pressure that is not well controlled.", "high blood pressure"),
        ("D: This looks like acute bronchitis.", "acute bronchitis"),
        ("D: Your symptoms are consistent with a right ankle sprain.", "right ankle sprain"),
        ("D: For your second problem, your type 2 diabetes, we repeat labs.", "type 2 diabetes"),
        ("D: Your blood pressure is still very high.", "high blood pressure"),
        ("D: I think you have an acute lumbar, um, strain.", "acute lumbar strain"),
    ],
)  # fmt: skip
def test_a_condition_that_the_clinician_states_is_a_diagnosis(line: str, name: str) -> None:
    [diagnosis] = summary_by_rules(visit(line)).diagnoses
    assert (diagnosis.name, diagnosis.evidence) == (name, ["u0"])


@pytest.mark.parametrize(
    "line",
    [
        "D: You don't have pneumonia.",
        "D: There's no sign that this is gout.",
        "D: Do you have asthma?",
        "D: Have you been diagnosed with diabetes?",
        "P: I have diabetes.",
        "D: Your mother had diabetes, and you have your mother's eyes.",
        "D: This could be shingles.",
        "D: I want to rule out pneumonia.",
        "D: We'll test you for diabetes.",
        "D: You're at risk of a stroke.",
        "D: Your blood pressure is not high.",
    ],
)
def test_a_condition_that_is_denied_asked_uncertain_or_of_others_is_left_out(line: str) -> None:
    assert summary_by_rules(visit(line)).diagnoses == []


def test_imaging_next_steps_advice_and_actions_are_quoted_with_their_due_time() -> None:
    summary = summary_by_rules(
        visit(
            "D: I'd like to order an MRI of your knee.",
            "D: I'm going to refer you to physical therapy.",
            "D: Please schedule a follow-up visit in two weeks.",
            "D: Please check your weight every morning.",
            "D: Call us right away if you have chest pain.",
            "D: Take a deep breath for me.",
        )
    )
    assert [each.text for each in summary.imaging] == ["I'd like to order an MRI of your knee."]
    assert [each.text for each in summary.next_steps] == [
        "I'm going to refer you to physical therapy.",
        "Please schedule a follow-up visit in two weeks.",
    ]
    assert [each.text for each in summary.education] == [
        "Call us right away if you have chest pain."
    ]
    assert [(each.text, each.due, each.evidence) for each in summary.action_items] == [
        ("Schedule a follow-up visit in two weeks.", "in two weeks", ["u2"]),
        ("Check your weight every morning.", None, ["u3"]),
    ]


def test_an_action_item_names_the_drug_in_place_of_it() -> None:
    summary = summary_by_rules(
        visit("P: Does metformin upset the stomach?", "D: It can, so please take it with food.")
    )
    [action] = summary.action_items
    assert (action.text, action.evidence) == ("Take metformin with food.", ["u0", "u1"])
    summary = summary_by_rules(visit("P: I take metformin.", "D: Please eat when you take it."))
    assert [each.text for each in summary.action_items] == ["Eat when you take metformin."]
    assert summary_by_rules(visit("D: Please take it with food.")).action_items == []


@pytest.mark.parametrize(
    "line",
    [
        "D: Have you had an x-ray?",
        "D: You don't need an MRI.",
        "D: If it doesn't get better, we could get a CT scan.",
        "P: I want to get an MRI.",
    ],
)
def test_imaging_that_is_asked_denied_or_wished_is_left_out(line: str) -> None:
    assert summary_by_rules(visit(line)).imaging == []


def test_the_overview_has_complaint_diagnoses_medications_and_next_steps() -> None:
    summary = summary_by_rules(
        visit(
            "D: What brings you in?",
            "P: I've had a sore throat for three days.",
            "D: You have strep throat. I'll start you on amoxicillin 500 mg three times a day.",
            "D: Please come back in ten days.",
        )
    )
    assert [statement.text for statement in summary.summary] == [
        "The patient said: “I've had a sore throat for three days.”",
        "Diagnoses named: strep throat.",
        "Medications started: amoxicillin (500 mg, three times a day).",
        "Next steps: “Please come back in ten days.”",
    ]


def test_a_visit_without_any_finding_is_summarized_by_its_utterances() -> None:
    summary = summary_by_rules(visit("?: Lovely weather.", "?: Quite."))
    assert [statement.evidence for statement in summary.summary] == [["u0"], ["u1"]]


def test_a_transcript_without_utterances_has_an_empty_summary() -> None:
    assert list(summary_by_rules(Transcript(utterances=())).evidenced()) == []


def test_the_rules_assign_roles_if_the_transcript_has_none() -> None:
    lines = (
        "What brings you in today? Do you have any other symptoms?",
        "My stomach hurts, and I've been taking ibuprofen for my knee.",
        "Stop taking the ibuprofen.",
    )
    known = visit(f"D: {lines[0]}", f"P: {lines[1]}", f"D: {lines[2]}")
    unknown = tuple(u.model_copy(update={"role": Role.UNKNOWN}) for u in known.utterances)
    summary = summary_by_rules(Transcript(utterances=unknown))
    assert [each.name for each in summary.medications.stopped] == ["ibuprofen"]


async def test_a_ten_hour_summary_is_bounded_and_does_not_block_the_event_loop() -> None:
    lines = [
        "D: Tell me more about how the week went and what you did at work.",
        "P: Well, I've been fine, and my knee hurts less than it did in the spring.",
        "D: I'm going to refer you to clinic number {n}, and please check item {n} every day.",
        "D: I want to start you on lisinopril ten milligrams once a day.",
    ]
    long = visit(*(line.format(n=n) for n in range(2_500) for line in lines))
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    ticking = asyncio.create_task(tick())
    summary = await RulesSummarizer().summarize(long)
    ticking.cancel()
    assert ticks > 5
    assert len(summary.model_dump_json()) < 50_000
    assert len(summary.next_steps) == len(summary.action_items) == MAX_ITEMS
    assert len(summary.medications.started[0].evidence) == MAX_EVIDENCE


PHRASES = st.sampled_from(
    """i'm going to|i'm gon na|we'll|let's|i'd like to|please|do n't|did you|if|not|and|or|so|also|
    start you on|stop|increase your|switch you from|put you on|prescribe|take|stop taking|it|to|
    that one|lisinopril|lysinopril|metformin|metform in|vitamin|d|Lasix|ibuprofen,|ten|10|five|
    hundred|thousand|point|milligrams|mg|tablets|once a day|every|hours|as needed|twice|no sorry|
    .|?|,|you have|this looks like|diabetes|high blood pressure|your blood pressure is high|mri|
    order an|schedule|in two weeks|call us|check your|avoid|you should|i want you to""".replace(
        "\n    ", ""
    ).split("|")
)


TEXTS = st.lists(PHRASES, max_size=25).map(" ".join) | st.text(max_size=120)


VISITS = st.lists(st.tuples(st.sampled_from("DP?"), TEXTS), max_size=8).map(
    lambda turns: visit(*(f"{voice}: {text}" for voice, text in turns))
)


def every_medication(summary: VisitSummary) -> list[Medication]:
    medications = summary.medications
    return [*medications.started, *medications.stopped, *medications.changed]


@settings(max_examples=examples(100, nightly=3_000), deadline=None)
@given(VISITS)
def test_any_transcript_has_a_summary_with_valid_evidence(transcript: Transcript) -> None:
    summary = summary_by_rules(transcript)
    texts = {utterance.id: utterance.text for utterance in transcript.utterances}
    for statement in summary.evidenced():
        assert 0 < len(statement.evidence) <= MAX_EVIDENCE
        assert texts.keys() >= set(statement.evidence)
        assert statement.evidence == sorted(statement.evidence)
    for medication in every_medication(summary):
        assert any(medication.name in texts[id_] for id_ in medication.evidence)
    assert len(summary.summary) <= 8
    assert bool(summary.summary) != transcript.is_silent
    assert summary_by_rules(transcript) == summary
    assert VisitSummary.from_stored(summary.to_stored()) == summary
