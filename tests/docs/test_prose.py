"""Sentences in the repository name their actor instead of an indefinite pronoun."""

from tests.docs.prose import SUBJECTS, counted, sources

MOST = 2.0
"""Limit of indefinite subjects per 1,000 words of comments, docstrings, test names, Markdown."""


def test_few_sentences_have_an_indefinite_subject_such_as_nobody() -> None:
    results = [counted(path) for path in sources()]
    words = sum(count for count, _ in results)
    subjects = sum(len(found) for _, found in results)
    assert 1000 * subjects / words <= MOST, "scripts/python -m tests.docs.prose lists them"


def test_an_indefinite_subject_is_found_at_the_start_of_a_clause() -> None:
    for sentence in (
        "Who may pay: a lease.",
        "whoever asks for more is asked again",
        "A call ends, and nobody knows why.",
        "The store keeps what was paid for; what is lost comes again.",
    ):
        assert SUBJECTS.search(sentence), sentence
    for sentence in ("A user who signs in sees the visit.", "The owner decides."):
        assert not SUBJECTS.search(sentence), sentence
