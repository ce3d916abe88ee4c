"""Test that a refused file does not change the results of other files of its visit."""

from datetime import timedelta

import pytest

from lumimd.domain.audio import Upload
from lumimd.domain.codes import ErrorCode, RefusalCode
from lumimd.domain.errors import Refused
from lumimd.domain.visit import Status
from lumimd.pipeline import commands
from lumimd.ports.transcriber import Failed, Transcribed
from tests.support.services import START, MemoryServices, another, tone, transcript, upload
from tests.support.takes import FIRST, SECOND, accept, completed, finish, shown, texts
from tests.support.visits import minutes_pass, visit_of


@pytest.fixture
def services() -> MemoryServices:
    return MemoryServices()


BAD = {
    "a text": (b"not a recording", ErrorCode.AUDIO_UNREADABLE),
    "too short": (tone(seconds=0.05), ErrorCode.AUDIO_TOO_SHORT),
}


@pytest.mark.parametrize("again", [another(2), upload(generation=7)], ids=["new path", "same path"])
@pytest.mark.parametrize("kind", BAD)
async def test_an_unreadable_or_short_file_does_not_change_existing_results(
    services: MemoryServices, again: Upload, kind: str
) -> None:
    before = await completed(services)
    stored = await services.store.transcript("visit-1")
    content, code = BAD[kind]
    await accept(services, again, content)
    await minutes_pass(services, 3)
    after = await visit_of(services)
    assert shown(after) == shown(before)
    assert await services.store.transcript("visit-1") == stored
    assert [action.action_id for action in await services.store.actions("visit-1")] == list(
        before.action_ids
    )
    (refused,) = after.refused_takes
    assert (refused.code, refused.storage_path) == (code, again.audio.storage_path)
    assert refused.message
    assert services.summarizer.calls == 1, "no new summary"
    await accept(services, again, content)  # a duplicate delivery of the event
    assert (await visit_of(services)).refused_takes == (refused,)


@pytest.mark.parametrize("size", [0, 6 * 1024**3])
async def test_an_empty_or_huge_file_is_refused_before_a_job_is_submitted(
    services: MemoryServices, size: int
) -> None:
    before = await completed(services)
    second = another(2)
    audio = second.audio.model_copy(update={"size_bytes": size})
    await accept(services, second.model_copy(update={"audio": audio}))
    assert shown(await visit_of(services)) == shown(before)
    assert len(services.transcriber.orders) == 1, "nothing was paid"


@pytest.mark.parametrize(
    "state",
    [Failed(ErrorCode.AUDIO_UNREADABLE, is_transient=False), Transcribed(transcript([("A", " ")]))],
)
async def test_a_file_that_the_provider_refuses_does_not_change_existing_results(
    services: MemoryServices, state: Transcribed | Failed
) -> None:
    before = await completed(services)
    await accept(services, another(2))
    assert (await visit_of(services)).summary == before.summary, "visible during the transcription"
    after = await finish(services, state)
    assert shown(after) == shown(before)
    assert len(after.refused_takes) == 1


async def test_a_file_with_a_retryable_failure_can_be_retried(services: MemoryServices) -> None:
    before = await completed(services)
    late = another(2).model_copy(update={"announced_at": START - timedelta(days=1)})
    await accept(services, late)
    visit = await visit_of(services)
    assert (visit.status, visit.summary) == (Status.COMPLETED, before.summary)
    assert visit.processing_error
    assert visit.processing_error.code is ErrorCode.RECEIVED_TOO_LATE
    await commands.retry(services, "visit-1")
    await minutes_pass(services, 1)
    after = await finish(services, Transcribed(transcript(SECOND)))
    assert texts(await services.store.transcript("visit-1")) == [t for _, t in (*FIRST, *SECOND)]
    assert (after.status, after.refused_takes) == (Status.COMPLETED, ())


async def test_cancelling_a_later_file_keeps_existing_results(services: MemoryServices) -> None:
    before = await completed(services)
    await accept(services, another(2))
    await accept(services, another(3))
    await commands.cancel(services, "visit-1")
    after = await visit_of(services)
    assert shown(after) == shown(before)
    assert [each.code for each in after.refused_takes] == [ErrorCode.CANCELLED] * 2
    with pytest.raises(Refused) as refused:
        await commands.cancel(services, "visit-1")
    assert refused.value.code is RefusalCode.ALREADY_OVER
