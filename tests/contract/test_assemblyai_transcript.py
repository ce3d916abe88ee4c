"""The tolerant reader of AssemblyAI's transcripts keeps every readable field in storable form."""

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lumimd.adapters.assemblyai.transcript import MOST_CHARACTERS, transcript_of
from lumimd.domain.codes import ErrorCode
from lumimd.pipeline import accept, recover
from lumimd.ports.transcriber import Running, Transcribed
from tests.support.assemblyai_provider import DONE, SAID, WORDS, Provider
from tests.support.examples import examples
from tests.support.services import MemoryServices
from tests.support.visits import visit_of


def with_word(**fields: Any) -> dict[str, Any]:
    words = [{**WORDS[0], **fields}, *WORDS[1:]]
    return {"words": words, "utterances": [{**DONE["utterances"][0], "words": words}]}


def with_utterance(**fields: Any) -> dict[str, Any]:
    return {"utterances": [{**DONE["utterances"][0], **fields}]}


def without(field: str) -> dict[str, Any]:
    utterance = {name: value for name, value in DONE["utterances"][0].items() if name != field}
    return {"utterances": [utterance]}


LONE = "cough \ud83d again"
READABLE: dict[str, dict[str, Any]] = {
    "as documented": {},
    "a word's confidence is null": with_word(confidence=None),
    "an utterance's confidence is null": with_utterance(confidence=None),
    "an utterance has no words": without("words"),
    "an utterance's words are null": with_utterance(words=None),
    "an utterance has no speaker": without("speaker"),
    "an utterance's speaker is a number": with_utterance(speaker=1),
    "an utterance has no start": without("start"),
    "an utterance has no text": without("text"),
    "times are null": with_utterance(start=None, end=None),
    "times are negative": with_utterance(start=-5, end=-1),
    "times are fractions": with_utterance(start=0.4, end=3999.6),
    "times run backwards": with_utterance(start=4_000, end=10),
    "times are huge": with_utterance(start=10**30, end=10**40),
    "a confidence is above one": with_utterance(confidence=7),
    "the confidence is a word": {"confidence": "high"},
    "the length is a fraction": {"audio_duration": 12.5},
    "the length is huge": {"audio_duration": 10**400},
    "the length is negative": {"audio_duration": -1},
    "the length is text": {"audio_duration": "5"},
    "a new language": {"language_code": "tlh_x_new"},
    "the language is null": {"language_code": None},
    "the language is a list": {"language_code": ["en"]},
    "half a surrogate pair": with_utterance(text=LONE),
    "half a surrogate pair in a word": with_word(text=LONE),
    "no utterances": {"utterances": None},
    "an empty list of utterances": {"utterances": []},
    "an utterance without anything": {"utterances": [{}]},
    "utterances of another kind": {"utterances": ["hello", 5, None]},
    "words of another kind": {"words": ["hello", 5, None], "utterances": None},
    "words are null": {"words": None, "utterances": None},
    "utterances are an object": {"utterances": {"0": "hello"}},
}


async def fetched(provider: Provider) -> Any:
    adapter = provider.transcriber()
    await adapter.submit("https://a.invalid/b/c?generation=1", visit_id="v", attempt=1)
    return (await adapter.fetch("job-0")).state


@pytest.mark.parametrize("case", READABLE)
async def test_readable_fields_of_a_deviating_response_are_read(case: str) -> None:
    state = await fetched(Provider(state={**DONE, **READABLE[case]}))
    assert isinstance(state, Transcribed)
    transcript = state.transcript
    assert transcript.utterances
    spoken = " ".join(utterance.text for utterance in transcript.utterances)
    assert "cough" in spoken
    spoken.encode()  # the store encodes the text too
    for utterance in transcript.utterances:
        assert 0 <= utterance.start_ms <= utterance.end_ms < 2**53
        assert 0.0 <= utterance.confidence <= 1.0
    assert transcript.duration_seconds is None or 0 <= transcript.duration_seconds < 10**6
    assert transcript.pages()


async def test_an_unknown_status_counts_as_running() -> None:
    for status in ("terminated", "paused", "", None, 5):
        assert isinstance(await fetched(Provider(state={**DONE, "status": status})), Running)


# Words


SPEAKERS = [{**word, "speaker": "A" if n < 2 else "B"} for n, word in enumerate(WORDS)]


async def test_words_without_utterances_are_joined_by_speaker() -> None:
    state = await fetched(Provider(state={**DONE, "utterances": None, "words": SPEAKERS}))
    spoken = [(each.id, each.speaker, each.text) for each in state.transcript.utterances]
    assert spoken == [
        ("u1", "A", "Good morning."),
        ("u2", "B", "I have had a cough for two weeks."),
    ]
    assert [(each.start_ms, each.end_ms) for each in state.transcript.utterances] == [
        (0, 700),
        (800, 3900),
    ]


async def test_the_full_text_replaces_an_incomplete_list_of_words() -> None:
    few = [{**word, "speaker": None} for word in WORDS[:2]]
    state = await fetched(Provider(state={**DONE, "utterances": None, "words": few}))
    assert " ".join(each.text for each in state.transcript.utterances) == SAID


SILENT = [
    {"text": "", "words": [], "utterances": []},
    {"text": "", "words": [], "utterances": None},
    {"text": None, "words": [], "utterances": [{"text": "", "words": []}]},
    {"text": " ", "words": None},
]


@pytest.mark.parametrize("silent", SILENT)
async def test_an_empty_completed_transcript_ends_the_visit_with_no_speech(
    silent: dict[str, Any],
) -> None:
    provider = Provider(state={"status": "completed", **silent})
    services = MemoryServices(transcriber=provider.transcriber())  # type: ignore[arg-type]
    await accept.accept(services, services.upload())
    services.clock.advance(timedelta(minutes=1))
    await recover.wake_due(services)
    visit = await visit_of(services)
    assert visit.processing_error is not None
    assert visit.processing_error.code is ErrorCode.NO_SPEECH


ITEM = st.dictionaries(
    st.sampled_from(["text", "start", "end", "confidence", "speaker", "words"]),
    st.none() | st.integers() | st.floats() | st.text(max_size=9) | st.just([{"text": "a"}]),
    max_size=4,
)
ANSWER = st.fixed_dictionaries(
    {},
    optional={
        "text": st.none() | st.text(max_size=20) | st.integers(),
        "words": st.none() | st.lists(ITEM, max_size=3) | st.text(),
        "utterances": st.none() | st.lists(ITEM, max_size=3) | st.integers(),
        "confidence": st.none() | st.floats() | st.text(),
        "audio_duration": st.none() | st.floats() | st.integers() | st.text(),
        "language_code": st.none() | st.text() | st.integers(),
    },
)


@settings(deadline=None)
@given(ANSWER)
def test_any_response_about_a_job_can_be_stored_or_is_unreadable(answer: Any) -> None:
    transcript = transcript_of(answer)
    text = answer.get("text")
    if isinstance(text, str) and text.strip():
        assert transcript is not None
        assert not transcript.is_silent, "recognized words are never dropped"
    if transcript is None:
        return
    json.dumps(transcript.to_stored(), allow_nan=False, ensure_ascii=False).encode()
    assert all(0 <= each.start_ms <= each.end_ms < 2**53 for each in transcript.utterances)
    assert len({each.id for each in transcript.utterances}) == len(transcript.utterances)


@settings(max_examples=examples(50), deadline=None)
@given(
    st.lists(
        st.sampled_from(["yes.", "no", "a" * 50, "\u6211\u5011\u3002" * 400]),
        min_size=1,
        max_size=40,
    )
)
def test_a_long_text_is_divided_into_utterances_without_loss(words: list[str]) -> None:
    transcript = transcript_of({"text": " ".join(words), "audio_duration": 60})
    assert transcript is not None
    spoken = "".join(each.text for each in transcript.utterances)
    assert "".join(spoken.split()) == "".join(words)
    assert all(len(each.text) <= MOST_CHARACTERS for each in transcript.utterances)
    starts = [each.start_ms for each in transcript.utterances]
    assert starts == sorted(starts)
    assert transcript.utterances[-1].end_ms == 60_000
