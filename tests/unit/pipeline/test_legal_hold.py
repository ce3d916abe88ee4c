"""Test that a legal hold keeps the results of a visit, and later work waits for the release."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from lumimd.domain import events as e
from lumimd.domain.audio import Upload
from lumimd.domain.codes import ErrorCode, RefusalCode
from lumimd.domain.errors import Held, Refused, Transient
from lumimd.domain.state_machine import advance
from lumimd.domain.visit import ProcessingStatus, Status, Visit
from lumimd.pipeline import accept, collect, commands, retain
from lumimd.policies.deployment import Policy
from lumimd.policies.waiting import lacks_provisional
from lumimd.ports.transcriber import Transcribed
from tests.support.services import MemoryServices, another, tone, transcribed, transcript, upload
from tests.support.summaries import summary_of
from tests.support.visits import MINUTE, minutes_pass, run_tasks, visit_of

P = ProcessingStatus
DAY = timedelta(days=1)
SAID_LATER = (("A", "Nothing of note was said."),)


@pytest.fixture
def services() -> MemoryServices:
    return MemoryServices(policy=Policy(bucket="recordings", requires_consent=False))


def documents(services: MemoryServices) -> dict[str, Any]:
    """Return the results of the visit, without fields that the legal hold writes."""
    found = services.store.documents()
    visit = found["visits/visit-1"]
    kept = {name: visit[name] for name in RESULTS}
    of_visit = {path: each for path, each in found.items() if is_result(path)}
    return {**of_visit, "visit": kept}


RESULTS = (
    *("title", "tags", "summary", "summaryStatements", "diagnoses", "medications", "imaging"),
    *("nextSteps", "education", "source", "actionIds", "transcriptPages", "audio", "takes"),
)


def is_result(path: str) -> bool:
    return path.startswith(("actions/", "visits/visit-1/transcript"))


async def completed(services: MemoryServices) -> None:
    await transcribed(services)
    await run_tasks(services)
    assert (await visit_of(services)).status is Status.COMPLETED


async def upload_now(services: MemoryServices, uploaded: Upload) -> None:
    now = services.clock.now()
    services.audio.put(uploaded.audio, tone(seconds=2), now)
    await accept.accept(services, uploaded.model_copy(update={"announced_at": now}))


async def collected(services: MemoryServices, said: Any = SAID_LATER) -> Visit:
    """Finish the newest job at the provider and run the following stages."""
    job = services.transcriber.orders[-1].transcript_id
    services.transcriber.finish(job, Transcribed(transcript(said)))
    visit = await visit_of(services)
    await collect.collect(services, "visit-1", visit.attempt, job)
    await minutes_pass(services, 5)
    return await visit_of(services)


async def finished(services: MemoryServices) -> None:
    """Finish the visit's current job at the provider, and let five minutes pass."""
    visit = await visit_of(services)
    assert visit.transcription is not None
    job = visit.transcription.transcript_id
    services.transcriber.finish(job, Transcribed(transcript(SAID_LATER)))
    await minutes_pass(services, 5)


COMMANDS: dict[str, Callable[[MemoryServices], Awaitable[object]]] = {
    "retry": lambda services: commands.retry(services, "visit-1"),
    "regenerate": lambda services: commands.regenerate(services, "visit-1"),
    "cancel": lambda services: commands.cancel(services, "visit-1"),
    "title": lambda services: commands.change(services, "visit-1", title="rewritten"),
    "tags": lambda services: commands.change(services, "visit-1", tags=("rewritten",)),
    "archived": lambda services: commands.change(services, "visit-1", archived=True),
    "delete": lambda services: commands.delete(services, "visit-1"),
}


@pytest.mark.parametrize("command", COMMANDS)
async def test_a_visit_under_legal_hold_refuses_every_command(
    services: MemoryServices, command: str
) -> None:
    await completed(services)
    await commands.hold(services, "visit-1", legally=True)
    before = services.store.documents()
    with pytest.raises(Refused) as refused:
        await COMMANDS[command](services)
    assert refused.value.code is RefusalCode.LEGAL_HOLD
    assert services.store.documents() == before


@pytest.mark.parametrize("newer", [upload(generation=2), another(2)], ids=["same name", "another"])
async def test_a_recording_uploaded_under_a_legal_hold_is_processed_after_the_release(
    services: MemoryServices, newer: Upload
) -> None:
    await completed(services)
    await commands.hold(services, "visit-1", legally=True)
    before, orders = documents(services), len(services.transcriber.orders)
    await upload_now(services, newer)
    await upload_now(services, newer)
    await minutes_pass(services, 10)
    assert documents(services) == before
    assert len(services.transcriber.orders) == orders
    assert (await visit_of(services)).held_takes == (newer.audio,)
    assert (newer.audio.storage_path, newer.audio.generation) in services.audio.held
    await commands.hold(services, "visit-1", legally=False)
    await minutes_pass(services, 2)
    visit = await collected(services)
    assert (visit.status, visit.held_takes) == (Status.COMPLETED, ())
    assert SAID_LATER[0][1] in [each.text for each in await services.store.transcript("visit-1")]


async def test_recordings_that_waited_for_the_release_are_processed_in_upload_order(
    services: MemoryServices,
) -> None:
    await completed(services)
    await commands.hold(services, "visit-1", legally=True)
    for number in (3, 2, 4):
        await upload_now(services, another(number))
    await commands.hold(services, "visit-1", legally=False)
    for _ in range(3):
        await minutes_pass(services, 2)
        await collected(services)
    visit = await visit_of(services)
    paths = [take.audio.storage_path for take in visit.takes]
    assert paths == [
        upload().audio.storage_path,
        *(another(n).audio.storage_path for n in (2, 3, 4)),
    ]
    assert visit.status is Status.COMPLETED


async def test_a_visit_without_a_recording_does_not_expire_under_a_legal_hold(
    services: MemoryServices,
) -> None:
    await commands.create(services, visit_id="visit-1", user_id="user-1", consent=True)
    await commands.hold(services, "visit-1", legally=True)
    assert (await visit_of(services)).wake_at is None, "the poller does not read it"
    services.clock.advance(30 * DAY)
    await minutes_pass(services, 1)
    await retain.enforce(services)
    await upload_now(services, upload())
    visit = await visit_of(services)
    assert (visit.processing_status, visit.audio) == (P.PENDING, None)
    assert services.transcriber.orders == []
    await commands.hold(services, "visit-1", legally=False)
    await minutes_pass(services, 2)
    assert (await collected(services)).status is Status.COMPLETED


async def test_the_first_transcript_and_summary_are_stored_under_a_legal_hold(
    services: MemoryServices,
) -> None:
    await accept.accept(services, services.upload())
    await commands.hold(services, "visit-1", legally=True)
    visit = await collected(services)
    assert (visit.status, visit.legal_hold) == (Status.COMPLETED, True)
    assert visit.summary


async def test_a_second_file_is_processed_after_the_release_of_the_legal_hold(
    services: MemoryServices,
) -> None:
    await accept.accept(services, services.upload())
    await upload_now(services, another(2))
    await commands.hold(services, "visit-1", legally=True)
    visit = await collected(services)
    assert (visit.status, len(visit.takes), len(visit.held_takes)) == (Status.COMPLETED, 1, 1)
    await commands.hold(services, "visit-1", legally=False)
    await minutes_pass(services, 2)
    assert len((await collected(services)).takes) == 2


@pytest.mark.parametrize("newer", [upload(generation=2), another(2)], ids=["same name", "another"])
@pytest.mark.parametrize("is_done", [True, False])
async def test_a_job_that_ends_under_a_legal_hold_is_used_after_the_release(
    services: MemoryServices, newer: Upload, is_done: bool
) -> None:
    await completed(services)
    await upload_now(services, newer)
    before, orders = documents(services), len(services.transcriber.orders)
    shown = before["visit"] | {"audio": None}
    await commands.hold(services, "visit-1", legally=True)
    attempt = (await visit_of(services)).attempt
    job = services.transcriber.orders[-1].transcript_id
    if is_done:
        services.transcriber.finish(job, Transcribed(transcript(SAID_LATER)))
    for each in (attempt - 1, attempt):
        await collect.collect(services, "visit-1", each, job)
    await minutes_pass(services, 10)
    after = documents(services)
    assert after["visit"] | {"audio": None} == shown
    assert {p: d for p, d in after.items() if is_result(p)} == {
        p: d for p, d in before.items() if is_result(p)
    }
    assert (await visit_of(services)).status is Status.COMPLETED
    assert not (await visit_of(services)).waiting_takes
    await commands.hold(services, "visit-1", legally=False)
    await minutes_pass(services, 2)
    visit = await visit_of(services) if is_done else await collected(services)
    assert visit.status is Status.COMPLETED
    assert SAID_LATER[0][1] in [each.text for each in await services.store.transcript("visit-1")]
    if is_done:
        assert len(services.transcriber.orders) == orders, "its transcript is already paid"
        assert visit.ledger.orders == orders


@pytest.mark.parametrize("is_released", ["at once", "later"])
async def test_a_job_being_submitted_when_a_legal_hold_begins_is_not_submitted_again(
    services: MemoryServices, monkeypatch: pytest.MonkeyPatch, is_released: str
) -> None:
    """The worker submits the job after the legal hold began, and the job id is not stored."""
    await completed(services)
    submit = services.transcriber.submit

    async def hold_first(*args: Any, **more: Any) -> str:
        monkeypatch.setattr(services.transcriber, "submit", submit)
        await commands.hold(services, "visit-1", legally=True)
        if is_released == "at once":
            await commands.hold(services, "visit-1", legally=False)
            await minutes_pass(services, 1)
        return await submit(*args, **more)

    monkeypatch.setattr(services.transcriber, "submit", hold_first)
    await upload_now(services, another(3))
    ordered = services.transcriber.orders[-1].audio_url
    await upload_now(services, another(2))
    if is_released == "later":
        assert [each.generation for each in (await visit_of(services)).held_takes] == [20, 30]
        await commands.hold(services, "visit-1", legally=False)
    await minutes_pass(services, 3)
    for _ in range(2):
        await finished(services)
    visit = await visit_of(services)
    assert (visit.status, len(visit.takes)) == (Status.COMPLETED, 3)
    assert [each.audio_url for each in services.transcriber.orders].count(ordered) == 1
    assert len(services.transcriber.orders) == 3


async def test_a_requested_regeneration_is_made_after_the_release_of_the_legal_hold(
    services: MemoryServices,
) -> None:
    await completed(services)
    services.clock.advance(MINUTE)
    await commands.regenerate(services, "visit-1")
    before, calls = documents(services), services.summarizer.calls
    await commands.hold(services, "visit-1", legally=True)
    await run_tasks(services)
    await minutes_pass(services, 10)
    assert documents(services) == before
    assert services.summarizer.calls == calls
    held = await visit_of(services)
    assert (held.status, held.summary_owed) == (Status.COMPLETED, True)
    await commands.hold(services, "visit-1", legally=False)
    await minutes_pass(services, 5)
    visit = await visit_of(services)
    assert services.summarizer.calls == calls + 1
    assert (visit.status, visit.summary_owed) == (Status.COMPLETED, False)
    assert visit.retry_count == held.retry_count


async def test_a_regenerated_summary_is_not_stored_if_a_legal_hold_begins_meanwhile(
    services: MemoryServices,
) -> None:
    await completed(services)
    services.clock.advance(MINUTE)
    await commands.regenerate(services, "visit-1")
    before, summarized = documents(services), services.summarizer.summarize

    async def held_meanwhile(heard: Any) -> Any:
        await commands.hold(services, "visit-1", legally=True)
        return await summarized(heard)

    services.summarizer.summarize = held_meanwhile  # type: ignore[method-assign]
    await run_tasks(services)
    assert documents(services) == before


async def test_a_provisional_summary_is_not_replaced_under_a_legal_hold(
    services: MemoryServices,
) -> None:
    await transcribed(services)
    services.summarizer.raises = [Held(ErrorCode.SUMMARY_UNAVAILABLE) for _ in range(50)]
    await minutes_pass(services, 30)
    assert (await visit_of(services)).provisional
    before = documents(services)
    await commands.hold(services, "visit-1", legally=True)
    services.summarizer.raises = []
    await minutes_pass(services, 60)
    assert documents(services) == before
    await commands.hold(services, "visit-1", legally=False)
    await minutes_pass(services, 10)
    visit = await visit_of(services)
    assert (visit.source, visit.provisional) == ("model", False)


async def test_no_provisional_summary_is_made_under_a_legal_hold(services: MemoryServices) -> None:
    await transcribed(services)
    services.summarizer.raises = [Held(ErrorCode.SUMMARY_UNAVAILABLE) for _ in range(20)]
    await commands.hold(services, "visit-1", legally=True)
    await minutes_pass(services, 30)
    assert (await visit_of(services)).source is None
    services.summarizer.raises = []
    await minutes_pass(services, 30)
    assert (await visit_of(services)).source == "model"


async def test_a_provisional_summary_is_not_stored_under_a_legal_hold(
    services: MemoryServices,
) -> None:
    await transcribed(services)
    await commands.hold(services, "visit-1", legally=True)
    visit, now = await visit_of(services), services.clock.now()
    assert not lacks_provisional(visit, now + DAY)
    for used_a_try in (True, False):
        until, summary = now + MINUTE, summary_of(transcript())
        made = e.ProvisionalSummaryStored(visit.attempt, until, "rules", summary, used_a_try)
        step = advance(visit, made, now)
        assert step.visit.source is None
        assert step.visit.wake_at == until


async def test_action_items_of_a_replaced_transcript_stay_under_a_legal_hold(
    services: MemoryServices,
) -> None:
    """The transcript is replaced before the legal hold, but summarized under the hold."""
    await completed(services)
    await upload_now(services, upload(generation=2))
    job = services.transcriber.orders[-1].transcript_id
    services.transcriber.finish(job, Transcribed(transcript(SAID_LATER)))
    await collect.collect(services, "visit-1", (await visit_of(services)).attempt, job)
    assert (await visit_of(services)).source is None
    before = await services.store.actions("visit-1")
    assert before
    await commands.hold(services, "visit-1", legally=True)
    await minutes_pass(services, 5)
    visit = await visit_of(services)
    assert visit.status is Status.COMPLETED
    held = await services.store.actions("visit-1")
    assert set(map(str, before)) < set(map(str, held))
    assert {each.action_id for each in held} == set(visit.action_ids)
    await commands.hold(services, "visit-1", legally=False)
    await minutes_pass(services, 5)
    after = await services.store.actions("visit-1")
    assert {each.action_id for each in after} == set((await visit_of(services)).action_ids)
    assert len({each.text for each in after}) == len(after), "the same content is one item again"


async def test_a_legal_hold_set_by_an_earlier_release_keeps_the_results(
    services: MemoryServices,
) -> None:
    """Such a visit has the field `legalHold`, but no separate document of the hold."""
    await completed(services)
    await upload_now(services, another(2))
    services.store.raw["visits/visit-1"] = {
        **services.store.raw["visits/visit-1"],
        "legalHold": True,
    }
    before = documents(services)
    await collected(services)
    after = documents(services)
    assert {p: d for p, d in after.items() if is_result(p)} == {
        p: d for p, d in before.items() if is_result(p)
    }
    assert after["visit"]["summary"] == before["visit"]["summary"]
    (waiting,) = (await visit_of(services)).held_takes
    assert waiting.storage_path == another(2).audio.storage_path


async def test_consent_given_under_a_legal_hold_takes_effect_after_the_release() -> None:
    services = MemoryServices(policy=Policy(bucket="recordings", requires_consent=True))
    await accept.accept(services, services.upload())
    await commands.hold(services, "visit-1", legally=True)
    await commands.give_consent(services, "visit-1")
    given = (await visit_of(services)).consent
    assert (await visit_of(services)).processing_status is P.FAILED
    await commands.hold(services, "visit-1", legally=False)
    await minutes_pass(services, 2)
    assert (await collected(services)).status is Status.COMPLETED
    assert (await visit_of(services)).consent == given


async def test_after_the_release_a_recording_without_consent_is_not_processed() -> None:
    services = MemoryServices(policy=Policy(bucket="recordings", requires_consent=True))
    await commands.create(services, visit_id="visit-1", user_id="user-1", consent=False)
    await commands.hold(services, "visit-1", legally=True)
    await upload_now(services, upload())
    await commands.hold(services, "visit-1", legally=False)
    await minutes_pass(services, 5)
    visit = await visit_of(services)
    assert visit.processing_error
    assert visit.processing_error.code is ErrorCode.CONSENT_MISSING
    assert services.transcriber.orders == []
    await commands.give_consent(services, "visit-1")
    await minutes_pass(services, 2)
    assert (await collected(services)).status is Status.COMPLETED


async def test_a_legal_hold_sets_and_releases_the_object_hold_of_the_recording(
    services: MemoryServices,
) -> None:
    await completed(services)
    key = (upload().audio.storage_path, 1)
    await commands.hold(services, "visit-1", legally=True)
    assert services.audio.held == {key}
    with pytest.raises(Transient):
        await services.audio.erase("recordings", "visits/user-1/visit-1/")
    assert await services.audio.has("recordings", "visits/user-1/visit-1/")
    await commands.hold(services, "visit-1", legally=False)
    assert services.audio.held == set()


async def test_retention_sets_a_missing_object_hold_of_a_visit_under_legal_hold(
    services: MemoryServices,
) -> None:
    await completed(services)
    await commands.hold(services, "visit-1", legally=True)
    services.audio.held = (
        set()
    )  # as if the command had failed after the visit and before the bucket
    services.clock.advance(services.policy.audio_retention + DAY)
    await retain.enforce(services)
    assert services.audio.held == {(upload().audio.storage_path, 1)}


async def test_a_legal_hold_set_during_an_erasure_keeps_the_recording(
    services: MemoryServices,
) -> None:
    await completed(services)
    services.clock.advance(services.policy.audio_retention + DAY)
    erase = services.audio.erase

    async def held_just_before(*args: Any, **more: Any) -> int:
        await commands.hold(services, "visit-1", legally=True)
        return await erase(*args, **more)

    services.audio.erase = held_just_before  # type: ignore[method-assign]
    with pytest.raises(Transient):
        await retain.enforce(services)
    assert await services.audio.has("recordings", "visits/user-1/visit-1/")
    assert (await visit_of(services)).audio_erased_at is None


async def test_a_recording_uploaded_during_the_release_gets_no_object_hold(
    services: MemoryServices,
) -> None:
    """With an object hold, retention could never erase the recording."""
    await completed(services)
    await commands.hold(services, "visit-1", legally=True)
    hold = services.audio.hold

    async def released_meanwhile(*args: Any, **more: Any) -> int:
        services.audio.hold = hold  # type: ignore[method-assign]
        await commands.hold(services, "visit-1", legally=False)
        return await hold(*args, **more)

    services.audio.hold = released_meanwhile  # type: ignore[method-assign]
    await upload_now(services, another(2))
    assert services.audio.held == set()
    assert (await visit_of(services)).processing_status is not P.COMPLETED


async def test_a_visit_stays_under_legal_hold_if_its_release_fails(
    services: MemoryServices,
) -> None:
    await completed(services)
    await commands.hold(services, "visit-1", legally=True)

    async def unavailable(*args: Any, **more: Any) -> int:
        raise Transient(ErrorCode.INTERNAL_ERROR)

    services.audio.hold = unavailable  # type: ignore[method-assign]
    with pytest.raises(Transient):
        await commands.hold(services, "visit-1", legally=False)
    assert (await visit_of(services)).legal_hold
