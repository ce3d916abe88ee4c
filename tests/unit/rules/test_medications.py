"""Test that the rules find started, stopped and changed drugs with dose and frequency."""

import pytest

from lumimd.domain.clinical import Medication
from lumimd.rules.summarizer import summary_by_rules
from tests.support.dialogue import visit


def facts(*lines: str) -> set[tuple[str, str, str | None, str | None]]:
    """Return the medications that the rules find, as (kind, name, dose, frequency)."""
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
        # History, and actions of others.
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
        # Continued medication.
        "D: I want you to continue your metformin five hundred milligrams twice a day.",
        "D: I'll prescribe your lisinopril again.",
        "D: Take your lisinopril with food.",
        "D: Stop taking your lisinopril at night.",
        # Lines without a drug, or with a drug that is not prescribed.
        "D: I'm going to add penicillin to your list of allergies.",
        "D: We want to lower your blood pressure lisinopril will do that.",
        "D: I'm going to order a vitamin d level.",
        "D: You should increase your calcium and your potassium.",
        "D: I want you to stop smoking.",
        "D: Let's get you a concert ticket and some ambient music.",
        # Ambiguous speech.
        "D: I'd like you to take ibuprofen.",
    ],
)
def test_a_drug_without_a_decision_in_this_visit_is_left_out(line: str) -> None:
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


def test_a_decision_that_is_revoked_later_is_left_out() -> None:
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


def test_two_decisions_in_a_line_without_punctuation_are_both_read() -> None:
    assert facts(
        "i'm gonna go ahead and stop the amlodipine and we'll put you on hydrochlorothiazide "
        "ten milligrams once a day and if the swelling does n't go away i'll order some tests"
    ) == {
        ("stopped", "amlodipine", None, None),
        ("started", "hydrochlorothiazide", "10 mg", "once a day"),
    }


def test_the_words_that_one_are_read_as_the_only_recently_named_drug() -> None:
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
def test_the_words_that_one_or_it_are_ignored_when_they_are_ambiguous(
    lines: tuple[str, ...],
) -> None:
    assert facts(*lines) == set()


def test_a_dose_in_the_next_sentence_belongs_to_the_drug_named_before() -> None:
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


def test_a_sentence_split_into_several_utterances_is_read_as_one_sentence() -> None:
    summary = summary_by_rules(
        visit("I'm going to start you on", "lisinopril ten", "milligrams once a day")
    )
    assert summary.medications.started == [
        Medication(
            name="lisinopril", dose="10 mg", frequency="once a day", evidence=["u0", "u1", "u2"]
        )
    ]


def test_a_misspelled_drug_counts_only_with_a_dose_and_keeps_its_spelling() -> None:
    assert facts("I'll start you on lysinopril ten milligrams.") == {
        ("started", "lysinopril", "10 mg", None)
    }
    assert facts("I'll start you on metform in, 500 mg.") == {
        ("started", "metform in", "500 mg", None)
    }
    assert facts("I'll start you on lysinopril.") == set()
    # A drug is never replaced by another drug with a similar name.
    assert facts("I'll start you on hydroxyzine 25 mg.") == {
        ("started", "hydroxyzine", "25 mg", None)
    }


def test_a_speaker_of_unknown_role_counts_only_when_addressing_the_patient() -> None:
    assert facts("?: I'm going to start you on lisinopril.") != set()
    assert facts("?: I'm going to stop the ibuprofen today.") == set()
