"""What AssemblyAI may send in place of what it documents: what can be read is read, in time."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lumimd import collecting, pipeline, recovery
from lumimd.adapters.assemblyai_fields import json_object
from lumimd.adapters.assemblyai_transcript import MOST_CHARACTERS, transcript_of
from lumimd.errors import ErrorCode, Transient
from lumimd.job_limit import LONGEST, MARGIN, job_limit
from lumimd.ports import Running, Transcribed
from lumimd.records import ProcessingStatus, Status
from lumimd.resilience import retry
from lumimd.resilience.retry import Unanswered, Unreadable
from tests.support.assemblyai_provider import DONE, RUNNING, SAID, WORDS, Provider, saying
from tests.support.parts import MemoryParts, upload
from tests.support.visits import run_tasks, visit_of


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    quick = {"initial_s": 0.001, "max_wait_s": 0.01, "jitter_s": 0.001}
    monkeypatch.setattr(retry, "TRANSCRIPTION", replace(retry.TRANSCRIPTION, **quick))
    return


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
async def test_what_can_be_read_is_read(case: str) -> None:
    state = await fetched(Provider(state={**DONE, **READABLE[case]}))
    assert isinstance(state, Transcribed)
    transcript = state.transcript
    assert transcript.utterances
    spoken = " ".join(utterance.text for utterance in transcript.utterances)
    assert "cough" in spoken
    spoken.encode()  # as the store does
    for utterance in transcript.utterances:
        assert 0 <= utterance.start_ms <= utterance.end_ms < 2**53
        assert 0.0 <= utterance.confidence <= 1.0
    assert transcript.duration_seconds is None or 0 <= transcript.duration_seconds < 10**6
    assert transcript.pages()


async def test_a_new_status_is_taken_for_running() -> None:
    for status in ("terminated", "paused", "", None, 5):
        assert isinstance(await fetched(Provider(state={**DONE, "status": status})), Running)


UNREADABLE = {
    "a web page": "<html>Sign in to the hotel's network</html>",
    "truncated": json.dumps({"id": "job-0", **DONE})[:-40],
    "a list": "[]",
    "null": "null",
    "nothing": "",
    "bytes": b"\xff\xfe\x00",
    "a number of ten thousand digits": '{"id": "job-0", "audio_duration": ' + "9" * 10_000 + "}",
    "nested without end": "[" * 100_000,
    "done, and nothing of it is there": json.dumps({"id": "job-0", "status": "completed"}),
    "done, and all of it is null": json.dumps(
        {"id": "job-0", "status": "completed", "text": None, "words": None, "utterances": None}
    ),
    "done, and its words cannot be understood": json.dumps(
        {"id": "job-0", "status": "completed", "text": 5, "words": "hello"}
    ),
}


@pytest.mark.parametrize("case", UNREADABLE)
async def test_a_job_that_cannot_be_read_is_given_up_within_its_limit(case: str) -> None:
    provider = Provider()
    parts = MemoryParts(transcriber=provider.transcriber())  # type: ignore[arg-type]
    await pipeline.accept(parts, parts.upload())
    provider.trouble = {"job": saying(UNREADABLE[case])}
    limit = job_limit((await visit_of(parts)).audio.duration_seconds)  # type: ignore[union-attr]
    for _ in range(3 * int(limit.total_seconds() // 600) + 30):
        parts.clock.advance(timedelta(minutes=10))
        await recovery.wake_due(parts)
    visit = await visit_of(parts)
    assert visit.status is Status.FAILED
    assert visit.processing_error is not None
    assert visit.processing_error.code is ErrorCode.TRANSCRIPTION_FAILED
    assert visit.processing_error.retryable
    assert provider.asked["order"] == 1 + collecting.MAX_RESTARTS
    assert provider.asked["job"] < 400, "put aside for longer and longer"


async def test_a_job_that_can_be_read_later_is_read() -> None:
    provider = Provider()
    parts = MemoryParts(transcriber=provider.transcriber())  # type: ignore[arg-type]
    await pipeline.accept(parts, parts.upload())
    provider.trouble = {"job": saying(UNREADABLE["a web page"])}
    for _ in range(60):
        parts.clock.advance(timedelta(minutes=1))
        await recovery.wake_due(parts)
    provider.trouble.clear()
    for _ in range(15):
        parts.clock.advance(timedelta(minutes=1))
        await recovery.wake_due(parts)
        await run_tasks(parts)
    assert (await visit_of(parts)).status is Status.COMPLETED
    assert len(provider.jobs) == 1


@pytest.mark.parametrize(
    "bug", [ValueError(), KeyError("x"), UnicodeEncodeError("u", "", 0, 1, "")]
)
async def test_a_bug_ends_in_time_as_well_and_is_seen(bug: Exception) -> None:
    class Broken:
        provider = "memory"
        orders = 0

        async def submit(self, *args: object, **more: object) -> str:
            self.orders += 1
            return f"job-{self.orders}"

        async def find(self, *args: object, **more: object) -> None:
            return None

        async def fetch(self, transcript_id: str) -> object:
            raise bug

    parts = MemoryParts(transcriber=Broken())  # type: ignore[arg-type]
    await pipeline.accept(parts, parts.upload())
    seen, hours = 0, 0
    while (visit := await visit_of(parts)).status is Status.PROCESSING:
        hours += 1
        assert hours < 6 * 24
        parts.clock.advance(timedelta(minutes=10))
        try:
            await recovery.wake_due(parts)
        except ExceptionGroup as group:
            seen += len(group.exceptions)
    assert visit.processing_error is not None
    assert visit.processing_error.code is ErrorCode.TRANSCRIPTION_FAILED
    assert seen > 5


@pytest.mark.parametrize("case", ["a web page", "truncated", "a list", "nothing"])
async def test_an_order_whose_answer_cannot_be_read_is_adopted_and_not_repeated(case: str) -> None:
    provider = Provider()
    parts = MemoryParts(transcriber=provider.transcriber())  # type: ignore[arg-type]
    answer = provider.answer

    def garbled(request: Any) -> Any:
        answered = answer(request)
        return saying(UNREADABLE[case])() if request.method == "POST" else answered

    adapter = parts.transcriber
    adapter._client.http_client._transport.handler = garbled  # type: ignore[attr-defined]
    with pytest.raises(Unanswered):
        await adapter.submit("https://a.invalid/b/c?generation=1", visit_id="v", attempt=1)
    await pipeline.accept(parts, parts.upload())
    for _ in range(10):
        parts.clock.advance(timedelta(minutes=1))
        await recovery.wake_due(parts)
        await run_tasks(parts)
    assert (await visit_of(parts)).status is Status.COMPLETED
    assert provider.asked["order"] == 2


# The list


def test_unreadable_is_no_outage() -> None:
    assert issubclass(Unreadable, Transient)
    with pytest.raises(Unreadable) as raised:
        json_object(b"<html>a secret</html>")
    assert raised.value.__cause__ is None
    assert "secret" not in repr(raised.value)


BAD_ITEMS: list[Any] = [
    None,
    5,
    "job",
    {},
    {"id": None},
    {"id": "x", "audio_url": None},
    [],
    {"id": 5},
]


async def test_an_item_of_the_list_that_cannot_be_read_is_passed_over() -> None:
    def page(jobs: list[Any]) -> Any:
        mixed = [item for job in jobs for item in (*BAD_ITEMS, {**job, "status": "new"})]
        return {"transcripts": [*mixed, *BAD_ITEMS], "page_details": {"prev_url": 5}}

    provider = Provider(state=dict(RUNNING), page=page)
    adapter = provider.transcriber()
    audio = upload("v1").audio
    url = f"https://storage.invalid/{audio.bucket}/{audio.storage_path}?generation=1&X=1"
    job = await adapter.submit(url, visit_id="v1", attempt=1)
    assert await adapter.find(audio) == job
    assert await adapter.find(audio, without={job}) is None
    assert await adapter.jobs_below(audio.bucket, "visits/user-1/v1/") == [job]
    assert [known.transcript_id for known in (await adapter.listed()).items] == ["x", job, "x"]


@pytest.mark.parametrize(
    "answer", ["<html>", "[]", '{"transcripts": null}', '{"transcripts": 5}', ""]
)
async def test_a_list_that_cannot_be_read_is_the_providers_trouble(answer: str) -> None:
    provider = Provider(trouble={"list": saying(answer)})
    adapter = provider.transcriber()
    for look in (adapter.listed, lambda: adapter.find(upload("v1").audio)):
        with pytest.raises(Transient) as raised:
            await look()
        assert not isinstance(raised.value, Unreadable)


async def test_pages_that_lead_in_a_circle_end() -> None:
    def page(jobs: list[Any]) -> Any:
        details = {"prev_url": "https://p.invalid/v2/transcript?before_id=job-0"}
        return {"transcripts": jobs, "page_details": details}

    provider = Provider(page=page)
    assert await provider.transcriber().find(upload("v1").audio) is None
    assert provider.asked["list"] == 2


@pytest.mark.parametrize("case", ["a web page", "truncated", "a list"])
async def test_a_copy_whose_state_cannot_be_read_is_deleted_later(case: str) -> None:
    provider = Provider(trouble={"job": saying(UNREADABLE[case])})
    with pytest.raises(Transient):
        await provider.transcriber().delete("job-0")


# Words


SPEAKERS = [{**word, "speaker": "A" if n < 2 else "B"} for n, word in enumerate(WORDS)]


async def test_words_are_put_together_by_speaker() -> None:
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


async def test_few_words_beside_a_long_text_do_not_stand_for_it() -> None:
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
async def test_no_speech_is_what_the_provider_reports_so(silent: dict[str, Any]) -> None:
    provider = Provider(state={"status": "completed", **silent})
    parts = MemoryParts(transcriber=provider.transcriber())  # type: ignore[arg-type]
    await pipeline.accept(parts, parts.upload())
    parts.clock.advance(timedelta(minutes=1))
    await recovery.wake_due(parts)
    visit = await visit_of(parts)
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
def test_whatever_is_said_of_a_job_it_can_be_stored_or_is_unreadable(answer: Any) -> None:
    transcript = transcript_of(answer)
    text = answer.get("text")
    if isinstance(text, str) and text.strip():
        assert transcript is not None
        assert not transcript.is_silent, "what was heard is never thrown away"
    if transcript is None:
        return
    json.dumps(transcript.to_stored(), allow_nan=False, ensure_ascii=False).encode()
    assert all(0 <= each.start_ms <= each.end_ms < 2**53 for each in transcript.utterances)
    assert len({each.id for each in transcript.utterances}) == len(transcript.utterances)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.sampled_from(["yes.", "no", "a" * 50, "\u6211\u5011\u3002" * 400]),
        min_size=1,
        max_size=40,
    )
)
def test_a_long_text_is_divided_and_nothing_of_it_lost(words: list[str]) -> None:
    transcript = transcript_of({"text": " ".join(words), "audio_duration": 60})
    assert transcript is not None
    spoken = "".join(each.text for each in transcript.utterances)
    assert "".join(spoken.split()) == "".join(words)
    assert all(len(each.text) <= MOST_CHARACTERS for each in transcript.utterances)
    starts = [each.start_ms for each in transcript.utterances]
    assert starts == sorted(starts)
    assert transcript.utterances[-1].end_ms == 60_000


# Limits


@pytest.mark.parametrize(
    ("seconds", "limit"),
    [
        (None, LONGEST),
        (0.0, MARGIN),
        (300.0, MARGIN + timedelta(minutes=5)),
        (36_000.0, LONGEST),
        (10.0**9, LONGEST),
    ],
)
def test_a_job_has_as_long_as_its_recording_and_a_margin(
    seconds: float | None, limit: timedelta
) -> None:
    assert job_limit(seconds) == limit


async def test_a_job_that_was_given_up_and_ends_before_the_next_is_ordered_is_taken() -> None:
    provider = Provider(state=dict(RUNNING))
    parts = MemoryParts(transcriber=provider.transcriber())  # type: ignore[arg-type]
    await pipeline.accept(parts, parts.upload())
    while (visit := await visit_of(parts)).processing_status is ProcessingStatus.TRANSCRIBING:
        parts.clock.advance(timedelta(minutes=10))
        await recovery.wake_due(parts)
    assert visit.given_up_jobs == ("job-0",)
    provider.jobs["job-0"].update(DONE)
    for _ in range(5):
        parts.clock.advance(timedelta(minutes=1))
        await recovery.wake_due(parts)
        await run_tasks(parts)
    assert (await visit_of(parts)).status is Status.COMPLETED
    assert provider.asked["order"] == 1
