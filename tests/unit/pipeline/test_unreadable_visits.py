"""Test that an unreadable visit delays no other visit and continues when it is readable."""

from datetime import timedelta
from typing import Any

import pytest
from starlette.responses import Response

from lumimd.domain.errors import UnreadableDocument
from lumimd.domain.visit import Status
from lumimd.pipeline import accept, collect, commands, reconcile, recover, retain, summarize
from lumimd.policies.deployment import Policy
from lumimd.policies.permits import Cap
from lumimd.ports.transcriber import Transcribed
from lumimd.runtime import responses
from tests.support.services import MemoryServices, transcribed, transcript
from tests.support.visits import minutes_pass, run_tasks, visit_of

DAY = timedelta(days=1)


@pytest.fixture
def services() -> MemoryServices:
    return MemoryServices()


def damage(services: MemoryServices, path: str, **fields: Any) -> dict[str, Any]:
    """Change the document as a newer release would; returns its earlier contents."""
    before = services.store.raw[path]
    services.store.raw[path] = {**before, **(fields or {"currentStep": "of_a_newer_release"})}
    return before


async def due(services: MemoryServices, number: int) -> list[str]:
    """Create visits with finished jobs whose webhooks never arrived; returns their ids."""
    names = [f"v{each:04d}" for each in range(number)]
    for name in names:
        await accept.accept(services, services.upload(name))
        job = services.transcriber.orders[-1].transcript_id
        services.transcriber.finish(job, Transcribed(transcript()))
    return names


@pytest.mark.parametrize("number", [1, recover.BATCH, recover.BATCH + 1])
async def test_a_due_visit_behind_pages_of_unreadable_visits_is_completed(
    services: MemoryServices, number: int
) -> None:
    before = {}
    for name in await due(services, number):
        before[name] = damage(services, f"visits/{name}")
    await accept.accept(services, services.upload("v9999"))
    services.transcriber.finish(
        services.transcriber.orders[-1].transcript_id, Transcribed(transcript())
    )
    await minutes_pass(services, 1)
    assert (await visit_of(services, "v9999")).status is Status.COMPLETED
    for name, stored in before.items():
        assert services.store.raw[f"visits/{name}"]["currentStep"] == "of_a_newer_release"
        services.store.raw[f"visits/{name}"] = stored
    await minutes_pass(services, 2)
    for name in before:
        assert (await visit_of(services, name)).status is Status.COMPLETED, "it continues"


@pytest.mark.parametrize("at", ["first", "between"])
async def test_an_unreadable_visit_in_the_fair_queue_is_skipped(at: str) -> None:
    services = MemoryServices(cap=Cap(1, 1))
    for name in ("running", "a", "b", "c"):
        await accept.accept(services, services.upload(name, user_id=name))
    damage(services, "visits/a" if at == "first" else "visits/b")
    for _ in range(4):
        job = services.transcriber.orders[-1]
        services.transcriber.finish(job.transcript_id, Transcribed(transcript()))
        await collect.collect(services, job.visit_id, 1, job.transcript_id)
        await minutes_pass(services, 1)
    ordered = {order.visit_id for order in services.transcriber.orders}
    assert ordered == {"running", "a", "b", "c"} - {"a" if at == "first" else "b"}


async def test_a_new_visit_does_not_queue_behind_an_unreadable_visit() -> None:
    services = MemoryServices(cap=Cap(2, 2))
    for name in ("one", "two", "waits"):
        await accept.accept(services, services.upload(name, user_id=name))
    damage(services, "visits/waits")
    services.transcriber.finish("job-0", Transcribed(transcript()))
    await collect.collect(services, "one", 1, "job-0")
    await accept.accept(services, services.upload("new", user_id="new"))
    assert services.transcriber.orders[-1].visit_id == "new"


async def test_an_unreadable_deletion_receipt_does_not_stop_another_deletion(
    services: MemoryServices,
) -> None:
    for name in ("bad", "good"):
        await transcribed(services, name)
        await commands.delete(services, name)
    damage(services, "deletions/bad", settledAt="soon")
    await minutes_pass(services, 10)
    assert services.store.raw["deletions/good"]["completedAt"]
    assert services.store.raw["deletions/bad"]["settledAt"] == "soon"


@pytest.mark.parametrize("damaged", ["older", "recording"])
async def test_retention_skips_unreadable_documents(services: MemoryServices, damaged: str) -> None:
    services.policy = Policy(
        requires_consent=False, transcript_retention=90 * DAY if damaged == "older" else None
    )
    for name in ("bad", "good"):
        await transcribed(services, name)
        await run_tasks(services)
    damage(services, "visits/bad")
    services.clock.advance(100 * DAY)
    done = await retain.enforce(services)
    assert done["unreadable"] == (2 if damaged == "older" else 1)
    assert done["deleted" if damaged == "older" else "recordings_erased"] == 1
    assert services.store.raw["visits/bad"]["currentStep"] == "of_a_newer_release"


async def reply(work: Any) -> Response:
    return await responses.reply_to_webhook(work)


async def test_webhooks_and_tasks_of_an_unreadable_visit_get_a_503(
    services: MemoryServices,
) -> None:
    await accept.accept(services, services.upload())
    services.transcriber.finish("job-0", Transcribed(transcript()))
    before = damage(services, "visits/visit-1")
    assert (await reply(collect.collect(services, "visit-1", 1, "job-0"))).status_code == 503
    assert (
        await responses.reply_to_task(summarize.summarize(services, "visit-1", 1))
    ).status_code == 503
    with pytest.raises(UnreadableDocument):
        await accept.accept(services, services.upload(generation=2))
    services.store.raw["visits/visit-1"] = before
    assert (await reply(collect.collect(services, "visit-1", 1, "job-0"))).status_code == 200


async def test_a_visit_with_an_unreadable_transcript_page_waits_without_a_model_call(
    services: MemoryServices,
) -> None:
    await transcribed(services)
    (path,) = [path for path, _ in services.store.raw.under("visits/visit-1/transcript")]
    before = damage(services, path, utterances="of a newer release")
    await minutes_pass(services, 30 * 60)
    visit = await visit_of(services)
    assert (visit.status, visit.stage_tries) == (Status.PROCESSING, 0)
    assert services.summarizer.calls == 0
    services.store.raw[path] = before
    await minutes_pass(services, 3 * 60)  # after 30 hours the visit is checked every two hours
    assert (await visit_of(services)).status is Status.COMPLETED


async def test_unreadable_history_entries_and_action_items_are_left_out(
    services: MemoryServices,
) -> None:
    await transcribed(services)
    await run_tasks(services)
    history = await services.store.history("visit-1")
    actions = await services.store.actions("visit-1")
    assert actions
    damage(services, "visits/visit-1/history/000001", toStatus="of_a_newer_release")
    damage(services, f"actions/{actions[0].action_id}", evidence=None)
    assert await services.store.history("visit-1") == history[:1] + history[2:]
    assert await services.store.actions("visit-1") == actions[1:]


async def test_reconciliation_skips_an_unreadable_visit(services: MemoryServices) -> None:
    """The recording and the job of the unreadable visit are not reported or deleted."""
    services.policy = Policy(bucket="recordings", requires_consent=False)
    uploaded = services.upload("bad")
    await accept.accept(services, uploaded)
    services.transcriber.finish("job-0", Transcribed(transcript()))
    services.audio._uploads[uploaded.audio.storage_path] = uploaded
    damage(services, "visits/bad")
    services.clock.advance(timedelta(hours=2))
    assert await reconcile.reconcile(services) == {}
    assert not services.transcriber.orders[0].is_deleted
