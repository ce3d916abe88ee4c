from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumimd.domain.speaker_roles import assign_roles
from lumimd.domain.transcript import Role, Utterance


def spoken(*turns: tuple[str, str]) -> list[Utterance]:
    return [
        Utterance(id=f"u{n}", speaker=speaker, start_ms=n, end_ms=n + 1, text=text, confidence=0.9)
        for n, (speaker, text) in enumerate(turns)
    ]


def roles_of(utterances: Sequence[Utterance]) -> dict[str, Role]:
    return {utterance.speaker: utterance.role for utterance in assign_roles(utterances)}


VISIT = (
    ("A", "What brings you in today? How long have you had the cough?"),
    ("B", "I've had it for two weeks, and my chest hurts when I cough."),
    ("A", "Take a deep breath. I'm going to order an x-ray and prescribe an inhaler."),
    ("B", "Okay. Thank you, doctor."),
)


def test_the_speaker_who_asks_and_prescribes_is_the_clinician() -> None:
    assert roles_of(spoken(*VISIT)) == {"A": Role.CLINICIAN, "B": Role.PATIENT}


def test_roles_are_found_when_the_patient_speaks_first() -> None:
    opening = ("B", "Hello. My knee has been swollen and it hurts.")
    assert roles_of(spoken(opening, *VISIT)) == {"A": Role.CLINICIAN, "B": Role.PATIENT}


def test_roles_are_found_without_punctuation_and_in_split_contractions() -> None:
    utterances = spoken(
        ("1", "my back has been hurting i ca n't sleep"),
        ("2", "okay so i'm gon na go ahead and prescribe you something and refer you to therapy"),
    )
    assert roles_of(utterances) == {"1": Role.PATIENT, "2": Role.CLINICIAN}


def test_the_role_of_a_single_speaker_is_unknown() -> None:
    alone = [utterance.model_copy(update={"speaker": "A"}) for utterance in spoken(*VISIT)]
    assert roles_of(alone) == {"A": Role.UNKNOWN}


@pytest.mark.parametrize("text", ["", "Mm.", "Seven green bottles."])
def test_speakers_without_evidence_have_unknown_roles(text: str) -> None:
    assert roles_of(spoken(("A", text), ("B", text))) == {"A": Role.UNKNOWN, "B": Role.UNKNOWN}


def test_of_three_speakers_one_is_the_clinician_one_the_patient_and_one_unknown() -> None:
    utterances = spoken(*VISIT, ("C", "She also needs a letter from you."))
    assert roles_of(utterances) == {
        "A": Role.CLINICIAN,
        "B": Role.PATIENT,
        "C": Role.UNKNOWN,
    }


def test_an_earlier_role_is_overwritten() -> None:
    wrong = [u.model_copy(update={"role": Role.PATIENT}) for u in spoken(*VISIT)]
    assert roles_of(wrong) == {"A": Role.CLINICIAN, "B": Role.PATIENT}


def test_assigning_roles_to_no_utterances_returns_no_utterances() -> None:
    assert assign_roles(()) == ()


@given(st.lists(st.tuples(st.sampled_from("ABC"), st.text(max_size=80)), max_size=12))
def test_assigning_roles_changes_only_roles_and_gives_each_speaker_one_role(
    turns: list[tuple[str, str]],
) -> None:
    utterances = spoken(*turns)
    assigned = assign_roles(utterances)
    assert [u.model_copy(update={"role": Role.UNKNOWN}) for u in assigned] == utterances
    assert len({(u.speaker, u.role) for u in assigned}) == len({u.speaker for u in utterances})
    assert [u.role for u in assigned].count(Role.UNKNOWN) <= len(assigned)
    assert assign_roles(assigned) == assigned
