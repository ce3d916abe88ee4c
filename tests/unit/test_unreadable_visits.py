"""A visit that this release cannot read stops no other, and goes on when it can be read again."""

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
from tests.support.parts import MemoryParts, transcribed, transcript
from tests.support.visits import minutes_pass, run_tasks, visit_of

DAY = timedelta(days=1)


@pytest.fixture
def parts() -> MemoryParts:
    return MemoryParts()


def damage(parts: MemoryParts, path: str, **fields: Any) -> dict[str, Any]:
    """Have a newer release write the document; returns its contents before."""
    before = parts.store.raw[path]
    parts.store.raw[path] = {**before, **(fields or {"currentStep": "of_a_newer_release"})}
    return before


async def due(parts: MemoryParts, number: int) -> list[str]:
    """Visits whose transcripts are ready, but for which no webhook came."""
    names = [f"v{each:04d}" for each in range(number)]
    for name in names:
        await accept.accept(parts, parts.upload(name))
        job = parts.transcriber.orders[-1].transcript_id
        parts.transcriber.finish(job, Transcribed(transcript()))
    return names


@pytest.mark.parametrize("number", [1, recover.BATCH, recover.BATCH + 1])
async def test_pages_of_due_visits_that_cannot_be_read_hide_no_other(
    parts: MemoryParts, number: int
) -> None:
    before = {}
    for name in await due(parts, number):
        before[name] = damage(parts, f"visits/{name}")
    await accept.accept(parts, parts.upload("v9999"))
    parts.transcriber.finish(parts.transcriber.orders[-1].transcript_id, Transcribed(transcript()))
    await minutes_pass(parts, 1)
    assert (await visit_of(parts, "v9999")).status is Status.COMPLETED
    for name, stored in before.items():
        assert parts.store.raw[f"visits/{name}"]["currentStep"] == "of_a_newer_release"
        parts.store.raw[f"visits/{name}"] = stored
    await minutes_pass(parts, 2)
    for name in before:
        assert (await visit_of(parts, name)).status is Status.COMPLETED, "it goes on by itself"


@pytest.mark.parametrize("at", ["first", "between"])
async def test_a_visit_in_line_that_cannot_be_read_is_passed_over(at: str) -> None:
    parts = MemoryParts(cap=Cap(1, 1))
    for name in ("running", "a", "b", "c"):
        await accept.accept(parts, parts.upload(name, user_id=name))
    damage(parts, "visits/a" if at == "first" else "visits/b")
    for _ in range(4):
        job = parts.transcriber.orders[-1]
        parts.transcriber.finish(job.transcript_id, Transcribed(transcript()))
        await collect.collect(parts, job.visit_id, 1, job.transcript_id)
        await minutes_pass(parts, 1)
    ordered = {order.visit_id for order in parts.transcriber.orders}
    assert ordered == {"running", "a", "b", "c"} - {"a" if at == "first" else "b"}


async def test_a_new_visit_in_line_does_not_stand_behind_unreadable_ones() -> None:
    parts = MemoryParts(cap=Cap(2, 2))
    for name in ("one", "two", "waits"):
        await accept.accept(parts, parts.upload(name, user_id=name))
    damage(parts, "visits/waits")
    parts.transcriber.finish("job-0", Transcribed(transcript()))
    await collect.collect(parts, "one", 1, "job-0")
    await accept.accept(parts, parts.upload("new", user_id="new"))
    assert parts.transcriber.orders[-1].visit_id == "new"


async def test_a_receipt_that_cannot_be_read_stops_no_deletion(parts: MemoryParts) -> None:
    for name in ("bad", "good"):
        await transcribed(parts, name)
        await commands.delete(parts, name)
    damage(parts, "deletions/bad", settledAt="soon")
    await minutes_pass(parts, 10)
    assert parts.store.raw["deletions/good"]["completedAt"]
    assert parts.store.raw["deletions/bad"]["settledAt"] == "soon"


@pytest.mark.parametrize("damaged", ["older", "recording"])
async def test_the_archive_is_read_past_unreadable_documents(
    parts: MemoryParts, damaged: str
) -> None:
    parts.policy = Policy(
        requires_consent=False, transcript_retention=90 * DAY if damaged == "older" else None
    )
    for name in ("bad", "good"):
        await transcribed(parts, name)
        await run_tasks(parts)
    damage(parts, "visits/bad")
    parts.clock.advance(100 * DAY)
    done = await retain.enforce(parts)
    assert done["unreadable"] == (2 if damaged == "older" else 1)
    assert done["deleted" if damaged == "older" else "recordings_erased"] == 1
    assert parts.store.raw["visits/bad"]["currentStep"] == "of_a_newer_release"


async def reply(work: Any) -> Response:
    return await responses.reply_to_webhook(work)


async def test_the_provider_and_the_queue_are_asked_to_come_again(parts: MemoryParts) -> None:
    await accept.accept(parts, parts.upload())
    parts.transcriber.finish("job-0", Transcribed(transcript()))
    before = damage(parts, "visits/visit-1")
    assert (await reply(collect.collect(parts, "visit-1", 1, "job-0"))).status_code == 503
    assert (
        await responses.reply_to_task(summarize.summarize(parts, "visit-1", 1))
    ).status_code == 503
    with pytest.raises(UnreadableDocument):
        await accept.accept(parts, parts.upload(generation=2))
    parts.store.raw["visits/visit-1"] = before
    assert (await reply(collect.collect(parts, "visit-1", 1, "job-0"))).status_code == 200


async def test_a_transcript_with_an_unreadable_page_is_neither_summarized_nor_given_up(
    parts: MemoryParts,
) -> None:
    await transcribed(parts)
    (path,) = [path for path, _ in parts.store.raw.under("visits/visit-1/transcript")]
    before = damage(parts, path, utterances="of a newer release")
    await minutes_pass(parts, 30 * 60)
    visit = await visit_of(parts)
    assert (visit.status, visit.stage_tries) == (Status.PROCESSING, 0)
    assert parts.summarizer.calls == 0
    parts.store.raw[path] = before
    await minutes_pass(parts, 3 * 60)  # after so long it is looked at every two hours
    assert (await visit_of(parts)).status is Status.COMPLETED


async def test_history_and_actions_that_cannot_be_read_are_left_out(parts: MemoryParts) -> None:
    await transcribed(parts)
    await run_tasks(parts)
    history = await parts.store.history("visit-1")
    actions = await parts.store.actions("visit-1")
    assert actions
    damage(parts, "visits/visit-1/history/000001", toStatus="of_a_newer_release")
    damage(parts, f"actions/{actions[0].action_id}", evidence=None)
    assert await parts.store.history("visit-1") == history[:1] + history[2:]
    assert await parts.store.actions("visit-1") == actions[1:]


async def test_reconciliation_passes_over_a_visit_that_cannot_be_read(parts: MemoryParts) -> None:
    """Its recording is neither taken for an orphan nor its job for nobody's; that is no failure."""
    parts.policy = Policy(bucket="recordings", requires_consent=False)
    uploaded = parts.upload("bad")
    await accept.accept(parts, uploaded)
    parts.transcriber.finish("job-0", Transcribed(transcript()))
    parts.audio._uploads[uploaded.audio.storage_path] = uploaded
    damage(parts, "visits/bad")
    parts.clock.advance(timedelta(hours=2))
    assert await reconcile.reconcile(parts) == {}
    assert not parts.transcriber.orders[0].is_deleted
