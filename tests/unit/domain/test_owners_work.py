"""Test that an owner's marks and edits on action items survive every later summary."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumimd.domain.commit import StoredAction
from lumimd.domain.owners_work import is_worked_on, merged
from lumimd.domain.visit import Action
from tests.support.services import START


def item(name: str, extracted: str, said: str | None = None, **fields: object) -> Action:
    action = Action(
        action_id=name,
        visit_id="v",
        user_id="u",
        text=extracted,
        extracted_text=extracted,
        evidence=("u1",),
        said=said,
        created_at=START,
    )
    return action.model_copy(update=fields)


def after(earlier: Sequence[Action], made: Sequence[Action]) -> dict[str, Action]:
    """Merge the items; returns the documents by id, in the sequence of `action_ids`."""
    found = merged([StoredAction(each, each) for each in earlier], made)
    documents = {each.action_id: each for each in earlier}
    documents |= {each.action_id: each for each in found.write}
    for retired in found.retired:
        del documents[retired]
    assert set(found.ids) == set(documents)
    assert len(found.ids) == len(documents)
    return {name: documents[name] for name in found.ids}


SAME = {
    "the same text": ("Rest.", None, "Rest.", None),
    "other case and punctuation": ("Get a blood test.", None, "get a blood test", None),
    "the same words cited, in other words": (
        "Take amoxicillin 500 mg three times a day.",
        "heard",
        "Start amoxicillin, three times daily.",
        "heard",
    ),
}

OTHER = {
    "another text and evidence": ("Rest.", "heard", "Walk.", "other"),
    "another task about the same words": (
        "Stop the aspirin.",
        "heard",
        "Start clopidogrel.",
        "heard",
    ),
    "nothing cited": ("Stop the aspirin.", None, "Stop aspirin now.", None),
}


@pytest.mark.parametrize("case", SAME)
def test_an_item_with_the_same_content_keeps_its_id_and_its_marks(case: str) -> None:
    text, said, again, heard = SAME[case]
    old = item("old", text, said, completed=True, due_date=START)
    (kept,) = after([old], [item("new", again, heard)]).values()
    assert (kept.action_id, kept.completed, kept.due_date) == ("old", True, START)
    assert kept.text == again


@pytest.mark.parametrize("case", OTHER)
def test_a_completed_item_that_matches_no_new_item_is_kept_unchanged(case: str) -> None:
    text, said, again, heard = OTHER[case]
    old = item("old", text, said, completed=True, evidence=("u1",) if said else ())
    found = after([old], [item("new", again, heard, evidence=("u1",) if said else ())])
    assert list(found) == ["new", "old"]
    assert not found["new"].completed
    assert found["old"] == old


def test_an_owners_edit_of_an_item_survives_two_later_summaries() -> None:
    edited = item("old", "Rest.", text="Rest, and call me.")
    once = after([edited], [item("new", "Rest")])
    twice = after(list(once.values()), [item("newer", "Rest!")])
    assert [(each.action_id, each.text) for each in twice.values()] == [
        ("old", "Rest, and call me.")
    ]


def test_an_item_that_the_owner_never_changed_is_updated_or_removed() -> None:
    found = after([item("old", "Rest"), item("gone", "Walk")], [item("new", "Rest.")])
    assert {name: each.text for name, each in found.items()} == {"old": "Rest."}


def test_new_items_with_the_same_evidence_are_matched_to_old_items_by_words() -> None:
    drug = item("a", "Take metformin twice a day with food", "heard", completed=True)
    test = item("b", "Get a blood test for glucose next month", "heard")
    again = [
        item("c", "Get a blood test for glucose in one month", "heard"),
        item("d", "Take metformin twice a day with meals", "heard"),
    ]
    found = after([drug, test], again)
    assert [(name, each.completed) for name, each in found.items()] == [("b", False), ("a", True)]


def test_an_item_without_its_extracted_text_is_kept_as_if_edited() -> None:
    legacy = item("old", "Rest at home.", extracted_text=None)
    assert list(after([legacy], [item("new", "Walk.")])) == ["new", "old"]


WORDS = st.sampled_from(["rest at home", "Rest at home.", "walk daily", "blood test", "rest daily"])
SAID = st.sampled_from([None, "one", "two"])


@st.composite
def documents(draw: st.DrawFn) -> list[Action]:
    made = []
    for number in range(draw(st.integers(0, 5))):
        text = draw(WORDS)
        edits = {"text": draw(WORDS)} if draw(st.booleans()) else {}
        done = draw(st.booleans())
        made.append(item(f"old-{number}", text, draw(SAID), completed=done, **edits))
    return made


MADE = st.lists(st.tuples(WORDS, SAID), max_size=5).map(
    lambda drawn: [item(f"new-{number}", *each) for number, each in enumerate(drawn)]
)


@given(documents(), MADE)
def test_a_merge_keeps_all_changes_of_the_owner_and_all_items_of_the_summary(
    earlier: list[Action], made: list[Action]
) -> None:
    found = after(earlier, made)
    for old in filter(is_worked_on, earlier):
        kept = found[old.action_id]
        assert kept.completed == old.completed
        assert kept.due_date == old.due_date
        if old.text != old.extracted_text:
            assert kept.text == old.text
    texts = [each.extracted_text for each in found.values()]
    assert texts[: len(made)] == [each.text for each in made]
    for name, each in found.items():
        if each.completed:
            assert name.startswith("old-"), "only the owner completes"


@given(documents(), MADE)
def test_merging_the_same_summary_twice_writes_nothing(
    earlier: list[Action], made: list[Action]
) -> None:
    once = list(after(earlier, made).values())
    again = merged([StoredAction(each, each) for each in once[: len(made)]], made)
    assert (again.write, again.retired) == ((), ())
