"""Test the pages in which a transcript is stored."""

import json
import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumimd.adapters.memory.database import MAX_DOCUMENT_BYTES, MAX_REQUEST_BYTES, MAX_WRITES
from lumimd.domain.commit import Commit
from lumimd.domain.text_pieces import divided_text
from lumimd.domain.transcript import (
    MAX_PAGE_BYTES,
    Role,
    Transcript,
    TranscriptPage,
    Utterance,
    joined,
    pieces,
)
from lumimd.domain.visit import Visit
from tests.support.services import START, transcript

UTTERANCES = st.builds(
    Utterance,
    id=st.text(max_size=4),
    speaker=st.sampled_from("AB"),
    role=st.sampled_from(Role),
    start_ms=st.integers(0, 36_000_000),
    end_ms=st.integers(0, 36_000_000),
    text=st.text(max_size=60) | st.text(alphabet="😀診é\u2028\x00", max_size=40),
    confidence=st.floats(0, 1),
)
TRANSCRIPTS = st.lists(UTTERANCES, max_size=12).map(lambda us: Transcript(utterances=tuple(us)))


def stored_bytes(page: TranscriptPage) -> int:
    """Return the size in Firestore.

    A string or name takes its UTF-8 bytes and one more, a number 8, and a document 32 more.
    """

    def size(value: object) -> int:
        if isinstance(value, dict):
            return sum(len(name) + 1 + size(each) for name, each in value.items())
        if isinstance(value, list | tuple):
            return sum(map(size, value))
        return len(value.encode()) + 1 if isinstance(value, str) else 8

    return 32 + size(page.to_stored())


@given(TRANSCRIPTS, st.integers(1, 2_000))
def test_the_pages_of_a_transcript_contain_each_utterance_in_sequence(
    heard: Transcript, max_bytes: int
) -> None:
    pages = list(heard.pages(max_bytes))
    assert [page.page for page in pages] == list(range(len(pages)))
    assert all(page.utterances for page in pages)
    random.Random(0).shuffle(pages)
    assert joined(pages) == heard.utterances


@given(TRANSCRIPTS, st.integers(300, 2_000))
def test_a_page_stays_under_its_limit_unless_it_has_one_long_utterance(
    heard: Transcript, max_bytes: int
) -> None:
    for page in heard.pages(max_bytes):
        assert stored_bytes(page) <= max_bytes + 64 or len(page.utterances) == 1


@given(TRANSCRIPTS, st.integers(300, 2_000))
def test_a_page_ends_only_when_the_next_utterance_would_not_fit(
    heard: Transcript, max_bytes: int
) -> None:
    for page, following in pairwise(heard.pages(max_bytes)):
        both = (*page.utterances, following.utterances[0])
        as_json = [json.dumps(each.to_stored(), ensure_ascii=False).encode() for each in both]
        assert sum(map(len, as_json)) > max_bytes


@given(TRANSCRIPTS)
def test_a_page_is_read_back_as_it_was_stored(heard: Transcript) -> None:
    for page in heard.pages():
        assert TranscriptPage.from_stored(json.loads(json.dumps(page.to_stored()))) == page


def test_each_page_of_a_ten_hour_transcript_fits_into_a_document() -> None:
    hours = transcript([("A", "診察" * 60)] * 7_200)
    pages = hours.pages()
    assert max(map(stored_bytes, pages)) <= MAX_PAGE_BYTES
    assert len(pages) < 30


def test_an_utterance_of_one_hour_fits_into_one_document() -> None:
    (page,) = transcript([("A", "word " * 15_000)]).pages()
    assert stored_bytes(page) < MAX_DOCUMENT_BYTES


SCRIPTS = {
    "Hindi": "\u0928\u092e\u0938\u094d\u0924\u0947",
    "Chinese": "\u8a3a\u5bdf",
    "Thai": "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35",
    "emoji": "\U0001f468\u200d\u2695\ufe0f",
    "escaped in JSON": '\x01"\\',
}


@pytest.mark.parametrize("word", SCRIPTS.values(), ids=SCRIPTS)
@pytest.mark.parametrize("space", [" ", ""])
def test_a_monologue_of_hours_in_any_script_is_divided_into_small_pages(
    word: str, space: str
) -> None:
    monologue = transcript([("A", f"{word}{space}" * 120_000)])
    (whole,) = monologue.utterances
    pages = monologue.pages()
    assert max(map(stored_bytes, pages)) <= MAX_PAGE_BYTES
    cut = joined(pages)
    assert "".join(each.text for each in cut) == whole.text
    assert len({each.id for each in cut}) == len(cut)
    assert (cut[0].id, cut[0].start_ms, cut[-1].end_ms) == ("u1", whole.start_ms, whole.end_ms)
    assert all(a.end_ms == b.start_ms for a, b in pairwise(cut))
    if space:
        assert all(each.text.endswith(" ") for each in cut)


def test_a_ten_hour_transcript_in_hindi_fits_into_one_commit_with_its_visit() -> None:
    """An upper bound is 200 words of 30 bytes a minute, and a turn every three words."""
    turns = [("AB"[turn % 2], "\u0928" * 29 + " ") for turn in range(40_000)]
    visit = Visit(visit_id="v", user_id="u", created_at=START, updated_at=START)
    writes = Commit(visit, pages=transcript(turns).pages()).writes()
    texts = [json.dumps(each, default=str, ensure_ascii=False) for each in writes.values()]
    assert sum(len(each.encode()) for each in texts) < MAX_REQUEST_BYTES
    assert len(writes) < MAX_WRITES


@given(UTTERANCES, st.integers(1, 60), st.sets(st.text(max_size=6), max_size=4))
def test_the_pieces_of_an_utterance_keep_its_text_times_and_speaker(
    whole: Utterance, max_bytes: int, others: set[str]
) -> None:
    cut = pieces(whole, max_bytes, {whole.id, *others})
    assert "".join(each.text for each in cut) == whole.text
    assert all(len(each.text.encode()) <= max(max_bytes, 4) for each in cut)
    assert len({each.id for each in cut} | others) >= len(cut) + len(others - {whole.id})
    assert (cut[0].start_ms, cut[-1].end_ms) == (whole.start_ms, whole.end_ms)
    assert all(a.end_ms == b.start_ms for a, b in pairwise(cut))
    assert {(each.speaker, each.role, each.confidence) for each in cut} == {
        (whole.speaker, whole.role, whole.confidence)
    }


def test_a_text_is_divided_after_a_sentence_or_otherwise_after_a_word() -> None:
    assert divided_text("One two. Three four.", 14) == ["One two. ", "Three four."]
    assert divided_text("one two three four", 9) == ["one two ", "three ", "four"]
    assert divided_text("\u0928\u092e\u0938\u094d\u0924\u0947", 12) == [
        "\u0928\u092e",
        "\u0938\u094d\u0924\u0947",
    ]


@pytest.mark.parametrize(
    ("texts", "silent"), [([], True), (["", "  \n"], True), (["", "Hm."], False)]
)
def test_a_transcript_is_silent_when_no_word_was_heard(texts: list[str], silent: bool) -> None:
    assert transcript([("A", text) for text in texts]).is_silent is silent


def test_a_transcript_lists_the_id_of_every_utterance() -> None:
    assert transcript().ids == {"u1", "u2", "u3", "u4"}
