"""A deleted visit is gone at once, whoever is at work on it, and nothing comes back."""

import json
from datetime import timedelta

import pytest

from lumimd.domain.commit import Conflict
from lumimd.domain.errors import RefusalCode
from lumimd.domain.visit import Deletion, ProcessingStatus
from lumimd.pipeline import accept, collect, commands, recover
from lumimd.pipeline.delete import SETTLED_AFTER
from lumimd.pipeline.erase import note_erasure
from lumimd.policies.lease import SUBMISSION
from lumimd.ports.transcriber import Transcribed
from tests.support.parts import MemoryParts, transcript
from tests.support.user_ids import USER_IDS
from tests.support.visits import visit_of
from tests.unit.test_commands import failed, refused, run_tasks, transcribed


@pytest.fixture
def parts() -> MemoryParts:
    return MemoryParts()


async def receipt_of(parts: MemoryParts) -> Deletion:
    found = await parts.deletions.get("visit-1")
    assert found
    return found[0]


async def settle(parts: MemoryParts) -> None:
    for _ in range(int(SETTLED_AFTER / timedelta(minutes=1)) + 8):
        parts.clock.advance(timedelta(minutes=1))
        await recover.wake_due(parts)
        await run_tasks(parts)


def traces(parts: MemoryParts) -> list[str]:
    """Whatever names the visit, but its receipt."""
    left = [
        path
        for path, document in parts.store.documents().items()
        if "visit-1" in path + json.dumps(document) and path != "deletions/visit-1"
    ]
    objects = [path for path, _ in parts.audio._content if "visit-1" in path]
    copies = [o.transcript_id for o in parts.transcriber.orders if not o.is_deleted]
    tasks = [task for task in list(parts.tasks.waiting._queue) if task.visit_id == "visit-1"]
    return [*left, *objects, *copies, *map(str, tasks)]


async def test_a_completed_visit_leaves_nothing_but_a_receipt_that_counts(
    parts: MemoryParts,
) -> None:
    await transcribed(parts)
    await run_tasks(parts)
    history = len(await parts.store.history("visit-1"))
    await commands.delete(parts, "visit-1")
    assert await parts.store.get("visit-1") is None, "gone at once"
    await settle(parts)
    assert traces(parts) == []
    receipt = await receipt_of(parts)
    assert receipt.completed_at is not None
    assert (receipt.wake_at, receipt.transcript_ids) == (None, ())
    # The provider's copy went when the transcript was stored.
    expected = {"visits": 1, "transcript": 1, "history": history, "actions": 2, "recordings": 1}
    assert {kind: number for kind, number in receipt.counts.items() if number} == expected


async def test_a_failed_visit_takes_its_dead_letter_along(parts: MemoryParts) -> None:
    await failed(parts)
    await commands.delete(parts, "visit-1")
    await settle(parts)
    assert traces(parts) == []
    assert (await receipt_of(parts)).counts["deadLetters"] == 1


async def test_a_transcript_under_way_is_not_stored_and_its_copy_is_deleted_when_it_is_done(
    parts: MemoryParts,
) -> None:
    await accept.accept(parts, parts.upload())
    await commands.delete(parts, "visit-1")
    await settle(parts)
    assert traces(parts) == ["job-0"], "a job that runs cannot be deleted"
    assert (await receipt_of(parts)).completed_at is None
    parts.transcriber.finish("job-0", Transcribed(transcript()))
    await collect.collect(parts, "visit-1", 1, "job-0")
    await settle(parts)
    assert traces(parts) == []
    assert (await receipt_of(parts)).counts["providerCopies"] == 1


async def test_an_order_sent_after_the_deletion_is_found_and_deleted(parts: MemoryParts) -> None:
    ordering = parts.transcriber.submit

    async def deleted_meanwhile(url: str, *, visit_id: str, attempt: int) -> str:
        await commands.delete(parts, "visit-1")
        await recover.wake_due(parts)  # the first sweep finds no job yet
        parts.clock.advance(SUBMISSION.work - timedelta(seconds=1))
        job = await ordering(url, visit_id=visit_id, attempt=attempt)
        parts.transcriber.finish(job, Transcribed(transcript()))
        return job

    parts.transcriber.submit = deleted_meanwhile  # type: ignore[method-assign]
    await accept.accept(parts, parts.upload())
    await settle(parts)
    assert traces(parts) == []


async def test_a_summary_under_way_creates_nothing(parts: MemoryParts) -> None:
    await transcribed(parts)
    working = parts.summarizer.summarize

    async def deleted_meanwhile(heard: object) -> object:
        await commands.delete(parts, "visit-1")
        await recover.wake_due(parts)
        return await working(heard)  # type: ignore[arg-type]

    parts.summarizer.summarize = deleted_meanwhile  # type: ignore[method-assign,assignment]
    await run_tasks(parts)
    await settle(parts)
    assert traces(parts) == []


async def test_an_event_that_comes_late_brings_nothing_back(parts: MemoryParts) -> None:
    uploaded = parts.upload()
    await accept.accept(parts, uploaded)
    parts.transcriber.finish("job-0", Transcribed(transcript()))
    await commands.delete(parts, "visit-1")
    await settle(parts)
    await accept.accept(parts, uploaded)
    assert traces(parts) == []


async def test_what_is_uploaded_for_a_deleted_visit_is_erased(parts: MemoryParts) -> None:
    await transcribed(parts)
    await commands.delete(parts, "visit-1")
    await settle(parts)
    again = parts.upload(generation=2)
    assert traces(parts) != []
    await accept.accept(parts, again)
    await settle(parts)
    assert traces(parts) == []
    assert (await receipt_of(parts)).counts["recordings"] == 2


async def test_what_a_deleted_user_had_uploaded_brings_nothing_back(parts: MemoryParts) -> None:
    uploaded = parts.upload()
    parts.clock.advance(timedelta(minutes=1))
    await note_erasure(parts, "user-1")
    await accept.accept(parts, uploaded)  # its event comes late
    assert await parts.store.get("visit-1") is None
    await settle(parts)
    assert traces(parts) == []


async def test_the_receipt_of_a_visit_outlives_the_deletion_of_its_user(
    parts: MemoryParts,
) -> None:
    uploaded = parts.upload()
    await accept.accept(parts, uploaded)
    parts.transcriber.finish("job-0", Transcribed(transcript()))
    await commands.delete(parts, "visit-1")
    await settle(parts)
    counted = (await receipt_of(parts)).counts
    await note_erasure(parts, "user-1")
    await accept.accept(parts, uploaded)  # once more
    await settle(parts)
    assert (await receipt_of(parts)).counts == counted
    assert traces(parts) == []


async def test_whoever_comes_back_after_their_deletion_is_served(parts: MemoryParts) -> None:
    await note_erasure(parts, "user-1")
    parts.clock.advance(timedelta(minutes=1))
    new = parts.upload().model_copy(update={"announced_at": parts.clock.now()})
    await accept.accept(parts, new)
    assert len(parts.transcriber.orders) == 1


async def test_a_second_deletion_shows_the_same_receipt(parts: MemoryParts) -> None:
    await transcribed(parts)
    first = await commands.delete(parts, "visit-1")
    assert await commands.delete(parts, "visit-1") == first


async def test_a_deleted_visit_is_not_created_again(parts: MemoryParts) -> None:
    await transcribed(parts)
    await commands.delete(parts, "visit-1")
    with pytest.raises(Conflict):
        await commands.create(parts, visit_id="visit-1", user_id="user-1", consent=True)


async def test_what_is_held_for_legal_reasons_is_not_deleted(parts: MemoryParts) -> None:
    await transcribed(parts)
    await commands.hold(parts, "visit-1", legally=True)
    assert await refused(commands.delete(parts, "visit-1")) == (RefusalCode.LEGAL_HOLD, None)
    await commands.hold(parts, "visit-1", legally=False)
    assert await commands.delete(parts, "visit-1")


async def test_the_receipt_says_nothing_of_the_visit_but_ids_and_numbers(
    parts: MemoryParts,
) -> None:
    await transcribed(parts)
    await commands.change(parts, "visit-1", title="cough")
    await run_tasks(parts)
    await commands.delete(parts, "visit-1")
    await settle(parts)
    assert "cough" not in json.dumps(parts.store.documents())


@pytest.mark.parametrize("user_id", USER_IDS)
async def test_a_user_of_any_sign_in_provider_is_served_and_erased(
    parts: MemoryParts, user_id: str
) -> None:
    uploaded = parts.upload(user_id=user_id)
    await accept.accept(parts, uploaded)
    parts.transcriber.finish("job-0", Transcribed(transcript()))
    await collect.collect(parts, "visit-1", 1, "job-0")
    await run_tasks(parts)
    assert (await visit_of(parts)).processing_status is ProcessingStatus.COMPLETED
    await note_erasure(parts, user_id)
    await commands.delete(parts, "visit-1")
    await settle(parts)
    assert traces(parts) == []
    await accept.accept(parts, parts.upload("visit-2", user_id=user_id))
    assert await parts.store.get("visit-2") is None, "it was uploaded before the deletion"
