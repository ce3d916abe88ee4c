"""Test that a deleted visit disappears at once, also during processing, and stays deleted."""

import json
from datetime import timedelta

import pytest

from lumimd.domain.codes import RefusalCode
from lumimd.domain.commit import Conflict
from lumimd.domain.visit import Deletion, ProcessingStatus
from lumimd.pipeline import accept, collect, commands, recover
from lumimd.pipeline.erase import note_erasure
from lumimd.policies.deletion import SETTLED_AFTER
from lumimd.policies.lease import SUBMISSION
from lumimd.ports.transcriber import Transcribed
from tests.support.services import MemoryServices, transcript
from tests.support.user_ids import USER_IDS
from tests.support.visits import visit_of
from tests.unit.pipeline.test_commands import failed, refused, run_tasks, transcribed


@pytest.fixture
def services() -> MemoryServices:
    return MemoryServices()


async def receipt_of(services: MemoryServices) -> Deletion:
    found = await services.deletions.get("visit-1")
    assert found
    return found[0]


async def settle(services: MemoryServices) -> None:
    for _ in range(int(SETTLED_AFTER / timedelta(minutes=1)) + 8):
        services.clock.advance(timedelta(minutes=1))
        await recover.wake_due(services)
        await run_tasks(services)


def traces(services: MemoryServices) -> list[str]:
    """Return everything that contains the visit's id, except the deletion receipt."""
    left = [
        path
        for path, document in services.store.documents().items()
        if "visit-1" in path + json.dumps(document) and path != "deletions/visit-1"
    ]
    objects = [path for path, _ in services.audio._content if "visit-1" in path]
    copies = [o.transcript_id for o in services.transcriber.orders if not o.is_deleted]
    tasks = [task for task in list(services.tasks.waiting._queue) if task.visit_id == "visit-1"]
    return [*left, *objects, *copies, *map(str, tasks)]


async def test_a_deleted_visit_leaves_only_a_deletion_receipt_with_counts(
    services: MemoryServices,
) -> None:
    await transcribed(services)
    await run_tasks(services)
    history = len(await services.store.history("visit-1"))
    await commands.delete(services, "visit-1")
    assert await services.store.get("visit-1") is None, "gone at once"
    await settle(services)
    assert traces(services) == []
    receipt = await receipt_of(services)
    assert receipt.completed_at is not None
    assert (receipt.wake_at, receipt.transcript_ids) == (None, ())
    # The provider's copy was deleted when the transcript was stored.
    expected = {"visits": 1, "transcript": 1, "history": history, "actions": 2, "recordings": 1}
    assert {kind: number for kind, number in receipt.counts.items() if number} == expected


async def test_the_dead_letter_of_a_deleted_visit_is_deleted(services: MemoryServices) -> None:
    await failed(services)
    await commands.delete(services, "visit-1")
    await settle(services)
    assert traces(services) == []
    assert (await receipt_of(services)).counts["deadLetters"] == 1


async def test_a_running_job_of_a_deleted_visit_is_deleted_when_it_ends(
    services: MemoryServices,
) -> None:
    await accept.accept(services, services.upload())
    await commands.delete(services, "visit-1")
    await settle(services)
    assert traces(services) == ["job-0"], "a job that runs cannot be deleted"
    assert (await receipt_of(services)).completed_at is None
    services.transcriber.finish("job-0", Transcribed(transcript()))
    await collect.collect(services, "visit-1", 1, "job-0")
    await settle(services)
    assert traces(services) == []
    assert (await receipt_of(services)).counts["providerCopies"] == 1


async def test_a_job_that_is_submitted_after_the_deletion_is_deleted(
    services: MemoryServices,
) -> None:
    ordering = services.transcriber.submit

    async def deleted_meanwhile(url: str, *, visit_id: str, attempt: int) -> str:
        await commands.delete(services, "visit-1")
        await recover.wake_due(services)  # the first sweep runs before the job is submitted
        services.clock.advance(SUBMISSION.work - timedelta(seconds=1))
        job = await ordering(url, visit_id=visit_id, attempt=attempt)
        services.transcriber.finish(job, Transcribed(transcript()))
        return job

    services.transcriber.submit = deleted_meanwhile  # type: ignore[method-assign]
    await accept.accept(services, services.upload())
    await settle(services)
    assert traces(services) == []


async def test_a_summary_that_is_made_during_a_deletion_is_not_stored(
    services: MemoryServices,
) -> None:
    await transcribed(services)
    working = services.summarizer.summarize

    async def deleted_meanwhile(heard: object) -> object:
        await commands.delete(services, "visit-1")
        await recover.wake_due(services)
        return await working(heard)  # type: ignore[arg-type]

    services.summarizer.summarize = deleted_meanwhile  # type: ignore[method-assign,assignment]
    await run_tasks(services)
    await settle(services)
    assert traces(services) == []


async def test_a_late_upload_event_does_not_restore_a_deleted_visit(
    services: MemoryServices,
) -> None:
    uploaded = services.upload()
    await accept.accept(services, uploaded)
    services.transcriber.finish("job-0", Transcribed(transcript()))
    await commands.delete(services, "visit-1")
    await settle(services)
    await accept.accept(services, uploaded)
    assert traces(services) == []


async def test_a_new_recording_for_a_deleted_visit_is_erased(services: MemoryServices) -> None:
    await transcribed(services)
    await commands.delete(services, "visit-1")
    await settle(services)
    again = services.upload(generation=2)
    assert traces(services) != []
    await accept.accept(services, again)
    await settle(services)
    assert traces(services) == []
    assert (await receipt_of(services)).counts["recordings"] == 2


async def test_a_recording_uploaded_before_the_erasure_of_its_user_is_erased(
    services: MemoryServices,
) -> None:
    uploaded = services.upload()
    services.clock.advance(timedelta(minutes=1))
    await note_erasure(services, "user-1")
    await accept.accept(services, uploaded)  # the event arrives after the erasure
    assert await services.store.get("visit-1") is None
    await settle(services)
    assert traces(services) == []


async def test_the_deletion_receipt_of_a_visit_stays_after_the_erasure_of_its_user(
    services: MemoryServices,
) -> None:
    uploaded = services.upload()
    await accept.accept(services, uploaded)
    services.transcriber.finish("job-0", Transcribed(transcript()))
    await commands.delete(services, "visit-1")
    await settle(services)
    counted = (await receipt_of(services)).counts
    await note_erasure(services, "user-1")
    await accept.accept(services, uploaded)  # a duplicate delivery of the event
    await settle(services)
    assert (await receipt_of(services)).counts == counted
    assert traces(services) == []


async def test_a_recording_uploaded_after_the_erasure_of_its_user_is_transcribed(
    services: MemoryServices,
) -> None:
    await note_erasure(services, "user-1")
    services.clock.advance(timedelta(minutes=1))
    new = services.upload().model_copy(update={"announced_at": services.clock.now()})
    await accept.accept(services, new)
    assert len(services.transcriber.orders) == 1


async def test_a_second_deletion_returns_the_same_deletion_receipt(
    services: MemoryServices,
) -> None:
    await transcribed(services)
    first = await commands.delete(services, "visit-1")
    assert await commands.delete(services, "visit-1") == first


async def test_creating_a_visit_with_the_id_of_a_deleted_visit_raises_conflict(
    services: MemoryServices,
) -> None:
    await transcribed(services)
    await commands.delete(services, "visit-1")
    with pytest.raises(Conflict):
        await commands.create(services, visit_id="visit-1", user_id="user-1", consent=True)


async def test_a_visit_under_legal_hold_is_not_deleted(services: MemoryServices) -> None:
    await transcribed(services)
    await commands.hold(services, "visit-1", legally=True)
    assert await refused(commands.delete(services, "visit-1")) == (RefusalCode.LEGAL_HOLD, None)
    await commands.hold(services, "visit-1", legally=False)
    assert await commands.delete(services, "visit-1")


async def test_a_deletion_receipt_contains_no_title_of_the_visit(services: MemoryServices) -> None:
    await transcribed(services)
    await commands.change(services, "visit-1", title="cough")
    await run_tasks(services)
    await commands.delete(services, "visit-1")
    await settle(services)
    assert "cough" not in json.dumps(services.store.documents())


@pytest.mark.parametrize("user_id", USER_IDS)
async def test_visits_of_users_of_any_sign_in_provider_are_completed_and_erased(
    services: MemoryServices, user_id: str
) -> None:
    uploaded = services.upload(user_id=user_id)
    await accept.accept(services, uploaded)
    services.transcriber.finish("job-0", Transcribed(transcript()))
    await collect.collect(services, "visit-1", 1, "job-0")
    await run_tasks(services)
    assert (await visit_of(services)).processing_status is ProcessingStatus.COMPLETED
    await note_erasure(services, user_id)
    await commands.delete(services, "visit-1")
    await settle(services)
    assert traces(services) == []
    await accept.accept(services, services.upload("visit-2", user_id=user_id))
    assert await services.store.get("visit-2") is None, "it was uploaded before the deletion"
