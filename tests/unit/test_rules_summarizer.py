import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lumimd.adapters.rules_summarizer import (
    MAX_EVIDENCE,
    MAX_ITEMS,
    RulesSummarizer,
    summary_by_rules,
)
from lumimd.clinical import Medication, VisitSummary
from lumimd.transcript import Role, Transcript, Utterance

_ROLES = {"D": Role.CLINICIAN, "P": Role.PATIENT, "?": Role.UNKNOWN}


def visit(*lines: str) -> Transcript:
    """Utterances u0, u1, ... from lines like 'D: Stop it.'; a line without a voice is D's."""
    utterances = []
    for number, line in enumerate(lines):
        voice, colon, text = line.partition(": ")
        if not colon or voice not in _ROLES:
            voice, text = "D", line
        utterances.append(
            Utterance(
                id=f"u{number}",
                speaker=voice,
                role=_ROLES[voice],
                start_ms=number * 1000,
                end_ms=number * 1000 + 900,
                text=text,
                confidence=0.9,
            )
        )
    return Transcript(utterances=tuple(utterances))


def facts(*lines: str) -> set[tuple[str, str, str | None, str | None]]:
    """What the summary says of medications: (kind, name, dose, frequency)."""
    medications = summary_by_rules(visit(*lines)).medications
    return {
        (kind, each.name, each.dose, each.frequency)
        for kind in ("started", "stopped", "changed")
        for each in getattr(medications, kind)
    }


@pytest.mark.parametrize(
    ("line", "kind", "name", "dose", "frequency"),
    [
        (
            "I'm going to start you on lisinopril, ten milligrams, once a day.",
            "started", "lisinopril", "10 mg", "once a day",
        ),
        (
            "so i'm gon na start you on lisinopril 10mg once a day okay",
            "started", "lisinopril", "10 mg", "once a day",
        ),
        (
            "We'll put you on, um, carvedilol, twenty-five milligrams, twice daily, all right?",
            "started", "carvedilol", "25 mg", "twice a day",
        ),
        (
            "Let's try amoxicillin, 500 milligrams every eight hours.",
            "started", "amoxicillin", "500 mg", "every 8 hours",
        ),
        (
            "I'll prescribe a medicine, that's tamsulosin, zero point four milligrams at bedtime.",
            "started", "tamsulosin", "0.4 mg", "at bedtime",
        ),
        (
            "I want to give you fifty milligrams of tramadol every six to eight hours as needed.",
            "started", "tramadol", "50 mg", "every 6 to 8 hours as needed",
        ),
        (
            "I'd like you to take naproxen two hundred fifty milligrams twice a day with meals.",
            "started", "naproxen", "250 mg", "twice a day with meals",
        ),
        (
            "We'll add albuterol, one to two puffs every four hours when you need it.",
            "started", "albuterol", "1 to 2 puffs", "every 4 hours as needed",
        ),
        (
            "I'll send in a prescription for levothyroxine fifty micrograms in the morning.",
            "started", "levothyroxine", "50 mcg", "in the morning",
        ),
        (
            "I'm going to start you on warfarin five milligrams, no, sorry, two milligrams daily.",
            "started", "warfarin", "2 mg", "daily",
        ),
        (
            "I'll prescribe something called sucralfate, you take one gram four times a day.",
            "started", "sucralfate", "1 g", "four times a day",
        ),
        ("Please stop taking the ibuprofen.", "stopped", "ibuprofen", None, None),
        ("You can stop the Aleve now.", "stopped", "Aleve", None, None),
        ("I want you to come off of the omeprazole.", "stopped", "omeprazole", None, None),
        ("Go ahead and discontinue your amlodipine.", "stopped", "amlodipine", None, None),
        (
            "Increase your metformin from 500 to 1000 milligrams twice a day.",
            "changed", "metformin", "1000 mg", "twice a day",
        ),
        (
            "I'd like to increase your dose of furosemide from 20 milligrams to sixty milligrams.",
            "changed", "furosemide", "60 mg", None,
        ),
        (
            "Let's go up to 40 milligrams of the atorvastatin at night.",
            "changed", "atorvastatin", "40 mg", "at night",
        ),
        (
            "We're going to cut your prednisone down to five milligrams every other day.",
            "changed", "prednisone", "5 mg", "every other day",
        ),
        ("I want to double your gabapentin.", "changed", "gabapentin", None, None),
        (
            "If you're okay with that, I'd like to start you on sertraline 25 mg daily.",
            "started", "sertraline", "25 mg", "daily",
        ),
    ],
)  # fmt: skip
def test_a_decision_about_a_drug_is_read_with_dose_and_frequency(
    line: str, kind: str, name: str, dose: str | None, frequency: str | None
) -> None:
    assert facts(line) == {(kind, name, dose, frequency)}


@pytest.mark.parametrize(
    "line",
    [
        # Questions.
        "D: Did you stop taking the ibuprofen?",
        "D: Are you taking lisinopril ten milligrams once a day?",
        "D: Do you want me to start you on sertraline?",
        "P: Should I stop the aspirin?",
        "D: did you start the metformin and stop the ibuprofen",
        # Negation.
        "D: I don't want you to stop taking your lisinopril.",
        "D: We should not start gabapentin.",
        "D: You can't just stop your prednisone.",
        "D: I'm not going to increase your metformin.",
        # History, and what others do.
        "P: I stopped lisinopril last year.",
        "P: My doctor started me on metformin five hundred milligrams.",
        "D: They put you on metoprolol in the hospital.",
        "D: Last visit I told you we will start atorvastatin.",
        "P: I'm going to stop the ibuprofen.",
        # Hypotheticals and alternatives.
        "D: If it gets worse, we could start prednisone.",
        "D: If the swelling stays, I'm going to start you on furosemide twenty milligrams.",
        "D: We might increase your lisinopril to forty milligrams.",
        "D: I'd like to start you on furosemide twenty milligrams if your weight goes up.",
        "D: Maybe we will add insulin at some point.",
        "D: We'll start you on lisinopril or losartan.",
        "D: I'd like to start you on semaglutide, but your insurance won't cover it.",
        "D: Some people get dizzy and stop the lisinopril.",
        "D: Please stop the aspirin five days before your surgery.",
        "D: You can come off the prednisone once your labs are normal.",
        "D: We'll try to get you off of the omeprazole.",
        "D: You should try ibuprofen.",
        # What goes on.
        "D: I want you to continue your metformin five hundred milligrams twice a day.",
        "D: I'll prescribe your lisinopril again.",
        "D: Take your lisinopril with food.",
        "D: Stop taking your lisinopril at night.",
        # Not a drug, or not as a drug.
        "D: I'm going to add penicillin to your list of allergies.",
        "D: We want to lower your blood pressure lisinopril will do that.",
        "D: I'm going to order a vitamin d level.",
        "D: You should increase your calcium and your potassium.",
        "D: I want you to stop smoking.",
        "D: Let's get you a concert ticket and some ambient music.",
        # Speech that allows two readings.
        "D: I'd like you to take ibuprofen.",
    ],
)
def test_what_is_not_decided_in_this_visit_is_not_a_medication_fact(line: str) -> None:
    assert facts(line) == set()


def test_an_ambiguous_or_contradictory_dose_is_left_out() -> None:
    for line in (
        "I'm going to start you on topiramate one fifty milligrams.",
        "I'm going to start you on spironolactone twelve. Five milligrams daily.",
        "I'd like to increase your metformin five hundred milligrams.",
        "I'm going to increase your lisinopril by ten milligrams.",
    ):
        [(_, _, dose, _)] = facts(line)
        assert dose is None, line
    assert facts(
        "I'm going to start you on sertraline fifty milligrams.",
        "So we'll start you on sertraline twenty-five milligrams.",
    ) == {("started", "sertraline", None, None)}


def test_a_drug_both_stopped_and_started_is_left_out() -> None:
    assert facts("Please stop the metoprolol.", "We'll start you on metoprolol.") == set()


def test_a_plan_that_is_taken_back_is_left_out() -> None:
    assert facts("I'll start you on gabapentin.", "No, let's hold off on the gabapentin.") == set()


def test_a_switch_stops_one_drug_and_starts_the_other() -> None:
    assert facts("Let's switch you from lisinopril to losartan, fifty milligrams daily.") == {
        ("stopped", "lisinopril", None, None),
        ("started", "losartan", "50 mg", "daily"),
    }


def test_drugs_joined_by_and_share_the_verb_but_not_the_dose() -> None:
    assert facts(
        "I'll prescribe you meloxicam 15 milligrams once a day along with some tramadol, "
        "50 milligrams every four hours as needed, okay?"
    ) == {
        ("started", "meloxicam", "15 mg", "once a day"),
        ("started", "tramadol", "50 mg", "every 4 hours as needed"),
    }


def test_two_decisions_in_speech_without_punctuation_are_told_apart() -> None:
    assert facts(
        "i'm gonna go ahead and stop the amlodipine and we'll put you on hydrochlorothiazide "
        "ten milligrams once a day and if the swelling does n't go away i'll order some tests"
    ) == {
        ("stopped", "amlodipine", None, None),
        ("started", "hydrochlorothiazide", "10 mg", "once a day"),
    }


def test_that_one_is_the_only_drug_just_spoken_of_and_both_utterances_are_evidence() -> None:
    summary = summary_by_rules(
        visit("P: I take naproxen for my back.", "D: Okay. Let's stop that one.")
    )
    [stopped] = summary.medications.stopped
    assert (stopped.name, stopped.evidence) == ("naproxen", ["u0", "u1"])


@pytest.mark.parametrize(
    "lines",
    [
        ("P: I take naproxen and lisinopril.", "D: Let's stop that one."),
        ("P: I take metformin for it.", "D: We want to lower it to seven percent."),
        ("P: I take naproxen, and I smoke.", "D: You need to stop that."),
        ("P: I take naproxen.", *["D: Tell me about your work."] * 5, "D: Please stop it."),
    ],
)
def test_that_one_is_left_alone_where_it_may_be_something_else(lines: tuple[str, ...]) -> None:
    assert facts(*lines) == set()


def test_a_dose_said_after_an_okay_belongs_to_the_drug_before() -> None:
    summary = summary_by_rules(
        visit(
            "D: I'm going to start you on sertraline.",
            "P: Okay.",
            "D: You'll take fifty milligrams every morning.",
        )
    )
    [started] = summary.medications.started
    assert (started.dose, started.frequency) == ("50 mg", "every morning")
    assert started.evidence == ["u0", "u2"]


def test_a_sentence_that_the_recognizer_split_is_read_as_one() -> None:
    summary = summary_by_rules(
        visit("I'm going to start you on", "lisinopril ten", "milligrams once a day")
    )
    assert summary.medications.started == [
        Medication(
            name="lisinopril", dose="10 mg", frequency="once a day", evidence=["u0", "u1", "u2"]
        )
    ]


def test_a_misheard_name_counts_only_beside_a_dose_and_stays_as_it_was_transcribed() -> None:
    assert facts("I'll start you on lysinopril ten milligrams.") == {
        ("started", "lysinopril", "10 mg", None)
    }
    assert facts("I'll start you on metform in, 500 mg.") == {
        ("started", "metform in", "500 mg", None)
    }
    assert facts("I'll start you on lysinopril.") == set()
    # Two drugs of which each is a letter or two from the other are never exchanged.
    assert facts("I'll start you on hydroxyzine 25 mg.") == {
        ("started", "hydroxyzine", "25 mg", None)
    }


def test_a_voice_not_told_apart_counts_where_it_addresses_the_patient() -> None:
    assert facts("?: I'm going to start you on lisinopril.") != set()
    assert facts("?: I'm going to stop the ibuprofen today.") == set()


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
def test_a_condition_asserted_of_the_patient_is_a_diagnosis(line: str, name: str) -> None:
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
def test_a_condition_denied_asked_or_of_others_is_no_diagnosis(line: str) -> None:
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


def test_take_it_names_the_drug_that_it_means() -> None:
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
def test_imaging_that_is_asked_denied_or_wished_is_not_listed(line: str) -> None:
    assert summary_by_rules(visit(line)).imaging == []


def test_the_overview_tells_the_visit_in_two_to_eight_sentences_in_order() -> None:
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


def test_a_visit_in_which_no_rule_finds_anything_still_has_a_summary() -> None:
    summary = summary_by_rules(visit("?: Lovely weather.", "?: Quite."))
    assert [statement.evidence for statement in summary.summary] == [["u0"], ["u1"]]


def test_silence_has_an_empty_summary() -> None:
    assert list(summary_by_rules(Transcript(utterances=())).evidenced()) == []


def test_roles_are_assigned_where_the_transcript_has_none() -> None:
    lines = (
        "What brings you in today? Do you have any other symptoms?",
        "My stomach hurts, and I've been taking ibuprofen for my knee.",
        "Stop taking the ibuprofen.",
    )
    known = visit(f"D: {lines[0]}", f"P: {lines[1]}", f"D: {lines[2]}")
    unknown = tuple(u.model_copy(update={"role": Role.UNKNOWN}) for u in known.utterances)
    summary = summary_by_rules(Transcript(utterances=unknown))
    assert [each.name for each in summary.medications.stopped] == ["ibuprofen"]


async def test_ten_hours_are_summarized_in_bounded_space_while_the_event_loop_goes_on() -> None:
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


@settings(max_examples=300, deadline=None)
@given(VISITS)
def test_any_transcript_has_a_summary_that_rests_on_it(transcript: Transcript) -> None:
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
