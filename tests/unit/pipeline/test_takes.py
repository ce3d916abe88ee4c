"""Test that several files of a visit are transcribed one at a time, in upload order."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumimd.domain.audio import Upload
from lumimd.domain.codes import ErrorCode
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
from tests.support.services import START, MemoryServices, another, tone, transcript, upload
from tests.support.takes import FIRST, SECOND, accept, completed, finish, shown, texts
from tests.support.visits import minutes_pass, run_tasks, visit_of


@pytest.fixture
def services() -> MemoryServices:
    return MemoryServices()


@pytest.mark.parametrize("moment", ["transcribing", "summarizing", "completed"])
async def test_two_files_form_one_transcript_in_every_state_of_the_first_file(
    services: MemoryServices, moment: str
) -> None:
    await accept(services, upload())
    if moment == "transcribing":
        await accept(services, another(2))
    job = services.transcriber.orders[-1].transcript_id
    services.transcriber.finish(job, Transcribed(transcript(FIRST)))
    await collect.collect(services, "visit-1", 1, job)
    if moment == "completed":
        await run_tasks(services)
    if moment != "transcribing":
        await accept(services, another(2))
    await minutes_pass(services, 2)
    visit = await finish(services, Transcribed(transcript(SECOND)))
    assert visit.status is Status.COMPLETED
    joined = await services.store.transcript("visit-1")
    assert texts(joined) == [text for _, text in (*FIRST, *SECOND)]
    assert [each.id for each in joined] == ["u1", "u2", "u3", "u4"]
    assert [each.start_ms for each in joined] == sorted(each.start_ms for each in joined)
    assert joined[1].end_ms <= joined[2].start_ms
    assert len(services.transcriber.orders) == 2, "each file is paid once"
    assert visit.ledger.orders == 2
    assert [take.audio.generation for take in visit.takes] == [1, 20]


async def test_files_are_joined_in_upload_order_although_events_arrive_in_another_order(
    services: MemoryServices,
) -> None:
    await accept(services, another(2))
    await accept(services, upload())
    await finish(services, Transcribed(transcript(SECOND)))
    await finish(services, Transcribed(transcript(FIRST)))
    joined = await services.store.transcript("visit-1")
    assert texts(joined) == [text for _, text in (*FIRST, *SECOND)]
    assert [each.start_ms for each in joined] == sorted(each.start_ms for each in joined)


async def test_a_visit_with_an_unreadable_first_file_is_completed_by_a_second_file(
    services: MemoryServices,
) -> None:
    await accept(services, upload(), b"not a recording")
    assert (await visit_of(services)).status is Status.FAILED
    await accept(services, another(2))
    visit = await finish(services)
    assert visit.status is Status.COMPLETED
    (refused,) = visit.refused_takes
    assert (refused.code, refused.generation) == (ErrorCode.AUDIO_UNREADABLE, 1)


async def test_an_unreadable_file_between_two_good_files_is_skipped(
    services: MemoryServices,
) -> None:
    await accept(services, upload())
    await accept(services, another(2), b"not a recording")
    await accept(services, another(3))
    await finish(services, Transcribed(transcript(FIRST)), minutes=6)
    visit = await finish(services, Transcribed(transcript(SECOND)))
    assert visit.status is Status.COMPLETED
    assert texts(await services.store.transcript("visit-1")) == [t for _, t in (*FIRST, *SECOND)]
    assert [each.code for each in visit.refused_takes] == [ErrorCode.AUDIO_UNREADABLE]
    assert services.summarizer.calls == 1, "one summary of all files"


async def test_a_replaced_file_keeps_its_position(services: MemoryServices) -> None:
    await accept(services, upload())
    await finish(services, Transcribed(transcript([("A", "Old words."), ("B", "More of them.")])))
    await accept(services, another(2))
    await finish(services, Transcribed(transcript(SECOND)))
    await accept(services, upload(generation=30))
    visit = await finish(services, Transcribed(transcript(FIRST)))
    joined = await services.store.transcript("visit-1")
    assert texts(joined) == [text for _, text in (*FIRST, *SECOND)]
    assert len({each.id for each in joined}) == 4
    assert [each.start_ms for each in joined] == sorted(each.start_ms for each in joined)
    assert [take.audio.generation for take in visit.takes] == [30, 20]


async def test_a_newer_generation_replaces_a_waiting_file(services: MemoryServices) -> None:
    await accept(services, upload())
    await accept(services, another(2))
    newer = another(2).audio.model_copy(update={"generation": 21})
    await accept(services, another(2).model_copy(update={"audio": newer}))
    assert (await visit_of(services)).waiting_takes == (newer,)


async def test_all_files_wait_until_consent_is_given(services: MemoryServices) -> None:
    services.policy = services.policy.__class__(requires_consent=True)
    await accept(services, upload())
    await accept(services, another(2))
    visit = await visit_of(services)
    assert visit.processing_error
    assert visit.processing_error.code is ErrorCode.CONSENT_MISSING
    await commands.give_consent(services, "visit-1")
    await minutes_pass(services, 2)
    await finish(services, Transcribed(transcript(FIRST)))
    visit = await finish(services, Transcribed(transcript(SECOND)))
    assert texts(await services.store.transcript("visit-1")) == [t for _, t in (*FIRST, *SECOND)]


async def test_the_length_limit_applies_to_all_files_together(services: MemoryServices) -> None:
    before = await completed(services)
    (take,) = before.takes
    long = before.model_copy(update={"takes": (take.model_copy(update={"seconds": 36_000.0}),)})
    services.store.raw["visits/visit-1"] = long.to_stored()
    await accept(services, another(2))
    after = await visit_of(services)
    assert [each.code for each in after.refused_takes] == [ErrorCode.AUDIO_TOO_LONG]
    assert shown(after) == shown(before)


async def test_a_visit_of_an_earlier_release_without_takes_accepts_a_second_file(
    services: MemoryServices,
) -> None:
    before = await completed(services)
    stored = before.to_stored()
    for field in ("takes", "waitingTakes", "refusedTakes", "kept"):
        del stored[field]
    services.store.raw["visits/visit-1"] = stored
    await accept(services, another(2), b"not a recording")
    assert shown(await visit_of(services)) == shown(before)
    await accept(services, another(3))
    await finish(services, Transcribed(transcript(SECOND)))
    assert texts(await services.store.transcript("visit-1")) == [t for _, t in (*FIRST, *SECOND)]


async def test_a_file_that_is_received_too_late_does_not_affect_a_second_file(
    services: MemoryServices,
) -> None:
    late = upload().model_copy(update={"announced_at": START - timedelta(days=1)})
    await accept(services, late)
    assert (await visit_of(services)).status is Status.FAILED
    second = another(2).model_copy(update={"announced_at": START - timedelta(days=1)})
    await accept(services, second)
    await finish(services, Transcribed(transcript(FIRST)))
    visit = await finish(services, Transcribed(transcript(SECOND)))
    assert (visit.status, visit.refused_takes) == (Status.COMPLETED, ())
    assert texts(await services.store.transcript("visit-1")) == [t for _, t in (*FIRST, *SECOND)]


# Deletion, retention and export cover all files of a visit.


async def test_a_deleted_visit_leaves_no_copy_of_any_file(services: MemoryServices) -> None:
    await accept(services, upload())
    await accept(services, another(2))
    await finish(services, Transcribed(transcript(FIRST)))
    await finish(services, Transcribed(transcript(SECOND)))
    await accept(services, another(3))
    await commands.delete(services, "visit-1")
    services.transcriber.finish(
        services.transcriber.orders[-1].transcript_id, Transcribed(transcript())
    )
    await minutes_pass(services, 15)
    assert all(order.is_deleted for order in services.transcriber.orders)
    assert not services.audio._content


async def test_retention_erases_every_file(services: MemoryServices) -> None:
    await completed(services)
    await accept(services, another(2), b"not a recording")
    services.clock.advance(services.policy.audio_retention + timedelta(days=1))
    await enforce(services)
    assert not services.audio._content


async def test_reconciliation_processes_a_second_file_with_a_lost_event(
    services: MemoryServices,
) -> None:
    await completed(services)
    services.policy = services.policy.__class__(
        requires_consent=False, bucket=services.audio.bucket
    )
    second = another(2)
    services.audio.put(second.audio, tone(seconds=2), at=services.clock.now())
    services.clock.advance(timedelta(hours=2))
    assert (await reconcile(services))["recordings_without_a_visit"] == 1
    assert (await visit_of(services)).processing_status is ProcessingStatus.TRANSCRIBING
    assert "recordings_without_a_visit" not in await reconcile(services)


async def test_a_new_file_does_not_restart_cancelled_files(services: MemoryServices) -> None:
    await accept(services, upload())
    await accept(services, another(2))
    await commands.cancel(services, "visit-1")
    await accept(services, another(3))
    visit = await finish(services)
    assert [take.audio.generation for take in visit.takes] == [30]
    assert [(each.generation, each.code) for each in visit.refused_takes] == [
        (1, ErrorCode.CANCELLED),
        (20, ErrorCode.CANCELLED),
    ]
    assert len(services.transcriber.orders) == 2


async def fail_with_an_unknown_job(services: MemoryServices, uploaded: Upload) -> None:
    """Fail the visit as if the response to the submitted job had been lost."""
    await accept(services, uploaded)
    visit = await visit_of(services)
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
    services.store.raw["visits/visit-1"] = failed.to_stored()


async def test_a_new_file_first_uses_the_existing_job_of_a_failed_file(
    services: MemoryServices,
) -> None:
    await fail_with_an_unknown_job(services, upload())
    await accept(services, another(2))
    assert len(services.transcriber.orders) == 1, "the existing job was adopted"
    assert (await visit_of(services)).waiting_takes == (another(2).audio,)


@pytest.mark.parametrize("before", ["an earlier file", "a newer one", "a file that came too late"])
async def test_the_existing_job_of_a_failed_file_is_used_after_another_file(
    services: MemoryServices, before: str
) -> None:
    """The event of an earlier file arrives late, so that the earlier file goes first."""
    await fail_with_an_unknown_job(services, another(2))
    if before == "a file that came too late":
        services.clock.advance(timedelta(hours=13))
    await accept(services, upload())
    if before == "a newer one":
        await accept(services, upload(generation=5))
    if before != "a file that came too late":
        assert [each.generation for each in (await visit_of(services)).waiting_takes] == [20]
        await finish(services)
    orders = len(services.transcriber.orders)
    await minutes_pass(services, 2)
    visit = await visit_of(services)
    assert visit.audio
    assert visit.transcription
    assert visit.audio.storage_path == another(2).audio.storage_path
    assert visit.transcription.transcript_id == "job-0", "the existing job was adopted"
    assert len(services.transcriber.orders) == orders


TAKES = st.lists(
    st.tuples(st.integers(1, 9), st.lists(st.tuples(st.sampled_from("AB"), st.text()), max_size=4)),
    min_size=1,
    max_size=6,
)


@given(TAKES)
def test_the_transcript_has_each_file_once_and_in_sequence_for_any_arrivals(
    takes: list[tuple[int, list[tuple[str, str]]]],
) -> None:
    """Files arrive by number; a newer generation of a file replaces the older one."""
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
