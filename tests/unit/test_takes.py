"""Several files of one visit: one at a time, in the order of their upload, and none does harm."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumimd.domain.errors import ErrorCode
from lumimd.domain.takes import joined_takes, with_take
from lumimd.domain.transcript import Utterance
from lumimd.domain.visit import (
    ProcessingError,
    ProcessingStatus,
    Stage,
    Status,
    Transcription,
    Visit,
)
from lumimd.pipeline import collect, commands
from lumimd.pipeline.reconcile import reconcile
from lumimd.pipeline.retain import enforce
from lumimd.ports.transcriber import Transcribed
from tests.support.parts import START, MemoryParts, another, tone, transcript, upload
from tests.support.takes import FIRST, SECOND, accept, completed, finish, shown, texts
from tests.support.visits import minutes_pass, run_tasks, visit_of


@pytest.fixture
def parts() -> MemoryParts:
    return MemoryParts()


@pytest.mark.parametrize("moment", ["transcribing", "summarizing", "completed"])
async def test_two_files_are_one_visit_whenever_the_second_comes(
    parts: MemoryParts, moment: str
) -> None:
    await accept(parts, upload())
    if moment == "transcribing":
        await accept(parts, another(2))
    job = parts.transcriber.orders[-1].transcript_id
    parts.transcriber.finish(job, Transcribed(transcript(FIRST)))
    await collect.collect(parts, "visit-1", 1, job)
    if moment == "completed":
        await run_tasks(parts)
    if moment != "transcribing":
        await accept(parts, another(2))
    await minutes_pass(parts, 2)
    visit = await finish(parts, Transcribed(transcript(SECOND)))
    assert visit.status is Status.COMPLETED
    told = await parts.store.transcript("visit-1")
    assert texts(told) == [text for _, text in (*FIRST, *SECOND)]
    assert [each.id for each in told] == ["u1", "u2", "u3", "u4"]
    assert [each.start_ms for each in told] == sorted(each.start_ms for each in told)
    assert told[1].end_ms <= told[2].start_ms
    assert len(parts.transcriber.orders) == 2, "each file is paid once"
    assert visit.ledger.orders == 2
    assert [take.audio.generation for take in visit.takes] == [1, 20]


async def test_files_are_joined_in_the_order_of_their_upload_not_of_their_events(
    parts: MemoryParts,
) -> None:
    await accept(parts, another(2))
    await accept(parts, upload())
    await finish(parts, Transcribed(transcript(SECOND)))
    await finish(parts, Transcribed(transcript(FIRST)))
    told = await parts.store.transcript("visit-1")
    assert texts(told) == [text for _, text in (*FIRST, *SECOND)]
    assert [each.start_ms for each in told] == sorted(each.start_ms for each in told)


async def test_a_bad_first_file_is_noted_and_the_second_is_the_visit(parts: MemoryParts) -> None:
    await accept(parts, upload(), b"not a recording")
    assert (await visit_of(parts)).status is Status.FAILED
    await accept(parts, another(2))
    visit = await finish(parts)
    assert visit.status is Status.COMPLETED
    (refused,) = visit.refused_takes
    assert (refused.code, refused.generation) == (ErrorCode.AUDIO_UNREADABLE, 1)


async def test_a_bad_file_among_several_is_skipped(parts: MemoryParts) -> None:
    await accept(parts, upload())
    await accept(parts, another(2), b"not a recording")
    await accept(parts, another(3))
    await finish(parts, Transcribed(transcript(FIRST)), minutes=6)
    visit = await finish(parts, Transcribed(transcript(SECOND)))
    assert visit.status is Status.COMPLETED
    assert texts(await parts.store.transcript("visit-1")) == [t for _, t in (*FIRST, *SECOND)]
    assert [each.code for each in visit.refused_takes] == [ErrorCode.AUDIO_UNREADABLE]
    assert parts.summarizer.calls == 1, "one summary of all"


async def test_a_file_is_replaced_in_its_place(parts: MemoryParts) -> None:
    await accept(parts, upload())
    await finish(parts, Transcribed(transcript([("A", "Old words."), ("B", "More of them.")])))
    await accept(parts, another(2))
    await finish(parts, Transcribed(transcript(SECOND)))
    await accept(parts, upload(generation=30))
    visit = await finish(parts, Transcribed(transcript(FIRST)))
    told = await parts.store.transcript("visit-1")
    assert texts(told) == [text for _, text in (*FIRST, *SECOND)]
    assert len({each.id for each in told}) == 4
    assert [each.start_ms for each in told] == sorted(each.start_ms for each in told)
    assert [take.audio.generation for take in visit.takes] == [30, 20]


async def test_a_newer_generation_while_it_waits_replaces_it(parts: MemoryParts) -> None:
    await accept(parts, upload())
    await accept(parts, another(2))
    newer = another(2).audio.model_copy(update={"generation": 21})
    await accept(parts, another(2).model_copy(update={"audio": newer}))
    assert (await visit_of(parts)).waiting_takes == (newer,)


async def test_consent_that_is_missing_keeps_every_file_waiting(parts: MemoryParts) -> None:
    parts.policy = parts.policy.__class__(requires_consent=True)
    await accept(parts, upload())
    await accept(parts, another(2))
    visit = await visit_of(parts)
    assert visit.processing_error
    assert visit.processing_error.code is ErrorCode.CONSENT_MISSING
    await commands.give_consent(parts, "visit-1")
    await minutes_pass(parts, 2)
    await finish(parts, Transcribed(transcript(FIRST)))
    visit = await finish(parts, Transcribed(transcript(SECOND)))
    assert texts(await parts.store.transcript("visit-1")) == [t for _, t in (*FIRST, *SECOND)]


async def test_together_the_files_are_no_longer_than_one_may_be(parts: MemoryParts) -> None:
    before = await completed(parts)
    (take,) = before.takes
    long = before.model_copy(update={"takes": (take.model_copy(update={"seconds": 36_000.0}),)})
    parts.store.raw["visits/visit-1"] = long.to_stored()
    await accept(parts, another(2))
    after = await visit_of(parts)
    assert [each.code for each in after.refused_takes] == [ErrorCode.AUDIO_TOO_LONG]
    assert shown(after) == shown(before)


async def test_a_visit_from_before_there_were_takes_gets_a_second_one(parts: MemoryParts) -> None:
    before = await completed(parts)
    stored = before.to_stored()
    for field in ("takes", "waitingTakes", "refusedTakes", "kept"):
        del stored[field]
    parts.store.raw["visits/visit-1"] = stored
    await accept(parts, another(2), b"not a recording")
    assert shown(await visit_of(parts)) == shown(before)
    await accept(parts, another(3))
    await finish(parts, Transcribed(transcript(SECOND)))
    assert texts(await parts.store.transcript("visit-1")) == [t for _, t in (*FIRST, *SECOND)]


async def test_a_file_is_not_called_late_for_the_lateness_of_another(parts: MemoryParts) -> None:
    late = upload().model_copy(update={"announced_at": START - timedelta(days=1)})
    await accept(parts, late)
    assert (await visit_of(parts)).status is Status.FAILED
    second = another(2).model_copy(update={"announced_at": START - timedelta(days=1)})
    await accept(parts, second)
    await finish(parts, Transcribed(transcript(FIRST)))
    visit = await finish(parts, Transcribed(transcript(SECOND)))
    assert (visit.status, visit.refused_takes) == (Status.COMPLETED, ())
    assert texts(await parts.store.transcript("visit-1")) == [t for _, t in (*FIRST, *SECOND)]


# Deletion, retention and export cover all files of a visit.


async def test_a_deleted_visit_of_several_files_leaves_no_copy_of_any(parts: MemoryParts) -> None:
    await accept(parts, upload())
    await accept(parts, another(2))
    await finish(parts, Transcribed(transcript(FIRST)))
    await finish(parts, Transcribed(transcript(SECOND)))
    await accept(parts, another(3))
    await commands.delete(parts, "visit-1")
    parts.transcriber.finish(parts.transcriber.orders[-1].transcript_id, Transcribed(transcript()))
    await minutes_pass(parts, 15)
    assert all(order.is_deleted for order in parts.transcriber.orders)
    assert not parts.audio._content


async def test_retention_erases_every_file(parts: MemoryParts) -> None:
    await completed(parts)
    await accept(parts, another(2), b"not a recording")
    parts.clock.advance(parts.policy.audio_retention + timedelta(days=1))
    await enforce(parts)
    assert not parts.audio._content


async def test_a_second_file_whose_event_was_lost_is_found_by_reconciliation(
    parts: MemoryParts,
) -> None:
    await completed(parts)
    parts.policy = parts.policy.__class__(requires_consent=False, bucket=parts.audio.bucket)
    second = another(2)
    parts.audio.put(second.audio, tone(seconds=2), at=parts.clock.now())
    parts.clock.advance(timedelta(hours=2))
    assert (await reconcile(parts))["recordings_without_a_visit"] == 1
    assert (await visit_of(parts)).processing_status is ProcessingStatus.TRANSCRIBING
    assert "recordings_without_a_visit" not in await reconcile(parts)


async def test_files_that_were_stopped_are_not_begun_anew_with_the_next_one(
    parts: MemoryParts,
) -> None:
    await accept(parts, upload())
    await accept(parts, another(2))
    await commands.cancel(parts, "visit-1")
    await accept(parts, another(3))
    visit = await finish(parts)
    assert [take.audio.generation for take in visit.takes] == [30]
    assert [(each.generation, each.code) for each in visit.refused_takes] == [
        (1, ErrorCode.CANCELLED),
        (20, ErrorCode.CANCELLED),
    ]
    assert len(parts.transcriber.orders) == 2


async def test_a_file_that_could_not_be_transcribed_is_looked_for_before_it_is_ordered_again(
    parts: MemoryParts,
) -> None:
    """Its job may have been ordered although the answer was lost."""
    await accept(parts, upload())
    visit = await visit_of(parts)
    failed = visit.model_copy(
        update={
            "processing_status": ProcessingStatus.FAILED,
            "processing_error": ProcessingError.of(
                ErrorCode.TRANSCRIPTION_UNAVAILABLE, Stage.TRANSCRIPTION
            ),
            "transcription": None,
            "wake_at": None,
        }
    )
    parts.store.raw["visits/visit-1"] = failed.to_stored()
    await accept(parts, another(2))
    assert len(parts.transcriber.orders) == 1, "the job was found again"
    assert (await visit_of(parts)).waiting_takes == (another(2).audio,)


TAKES = st.lists(
    st.tuples(st.integers(1, 9), st.lists(st.tuples(st.sampled_from("AB"), st.text()), max_size=4)),
    min_size=1,
    max_size=6,
)


@given(TAKES)
def test_each_file_is_once_and_in_its_place_in_the_transcript_for_any_order_of_arrival(
    takes: list[tuple[int, list[tuple[str, str]]]],
) -> None:
    """Files come by number; one that comes again, as a newer generation, replaces the older one."""
    visit = Visit(visit_id="v", user_id="u", created_at=START, updated_at=START)
    stored: tuple[Utterance, ...] = ()
    said: dict[int, list[str]] = {}
    first_order: dict[int, int] = {}
    for generation, (number, words) in enumerate(takes, start=100):
        audio = another(number).audio
        newer = audio.generation if number not in said else generation
        visit = visit.model_copy(update={"audio": audio.model_copy(update={"generation": newer})})
        heard = transcript(words)
        joined = joined_takes(visit, stored, heard)
        job = Transcription(provider="p", transcript_id="j", submitted_at=START, completed_at=START)
        visit = visit.model_copy(update={"takes": with_take(visit, heard, job)})
        stored = joined.utterances
        said[number] = [text for _, text in words]
        first_order.setdefault(number, audio.generation)
        wanted = [t for n in sorted(said, key=first_order.__getitem__) for t in said[n]]
        assert texts(stored) == wanted
        assert len({each.id for each in stored}) == len(stored)
        assert [each.start_ms for each in stored] == sorted(each.start_ms for each in stored)
        assert sum(take.utterances or 0 for take in visit.takes) == len(stored)
    assert (len({each.speaker for each in stored}) > 2) <= (len(said) > 1)
