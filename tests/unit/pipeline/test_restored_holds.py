"""Test that a visit restored from before its legal hold is still under legal hold."""

import copy
from datetime import timedelta

import pytest

from lumimd.domain.codes import RefusalCode
from lumimd.domain.errors import Refused, Transient
from lumimd.domain.visit import Hold
from lumimd.operations.rerun import From, rerun
from lumimd.pipeline import accept, commands, retain
from lumimd.policies.deployment import Policy
from tests.support.operators import OperatedServices, operator
from tests.support.services import MemoryServices, another, tone, transcribed
from tests.support.visits import run_tasks, visit_of
from tests.unit.pipeline.test_legal_hold import COMMANDS, documents

YEAR = timedelta(days=365)


def made(**policy: object) -> OperatedServices:
    return OperatedServices(
        policy=Policy(bucket="recordings", requires_consent=False, **policy)  # type: ignore[arg-type]
    )


async def restored(services: MemoryServices) -> None:
    """Restore a visit from before its legal hold: only the document of the hold remains."""
    await transcribed(services)
    await run_tasks(services)
    before = copy.deepcopy(services.store.raw["visits/visit-1"])
    await commands.hold(services, "visit-1", legally=True)
    services.store.raw["visits/visit-1"] = before
    assert not (await visit_of(services)).legal_hold


@pytest.mark.parametrize("command", COMMANDS)
async def test_a_restored_visit_under_legal_hold_refuses_every_command(command: str) -> None:
    services = made()
    await restored(services)
    before = documents(services)
    with pytest.raises(Refused) as refused:
        await COMMANDS[command](services)
    assert refused.value.code is RefusalCode.LEGAL_HOLD
    assert documents(services) == before


@pytest.mark.parametrize("begin", From)
async def test_a_restored_visit_under_legal_hold_refuses_a_rerun_by_an_operator(
    begin: From,
) -> None:
    services = made()
    await restored(services)
    with pytest.raises(Refused) as refused:
        await rerun(operator(services), "visit-1", begin)
    assert refused.value.code is RefusalCode.LEGAL_HOLD


async def test_a_recording_for_a_restored_visit_under_legal_hold_waits() -> None:
    services = made()
    await restored(services)
    newer, before = another(2), documents(services)
    services.audio.put(newer.audio, tone(seconds=2), services.clock.now())
    await accept.accept(services, newer)
    visit = await visit_of(services)
    assert (visit.legal_hold, visit.held_takes) == (True, (newer.audio,))
    assert documents(services) == before


async def test_a_recording_that_arrives_during_release_and_deletion_restores_no_visit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    services = made()
    await restored(services)
    newer, hold_of = another(2), services.deletions.hold_of
    services.audio.put(newer.audio, tone(seconds=2), services.clock.now())

    async def delete_after_reading(visit_id: str) -> Hold | None:
        mark = await hold_of(visit_id)
        monkeypatch.setattr(services.deletions, "hold_of", hold_of)
        await commands.hold(services, visit_id, legally=False)
        await commands.delete(services, visit_id)
        return mark

    monkeypatch.setattr(services.deletions, "hold_of", delete_after_reading)
    await accept.accept(services, newer)
    assert await services.store.get("visit-1") is None


async def test_retention_keeps_a_restored_visit_under_legal_hold() -> None:
    services = made(transcript_retention=timedelta(days=60))
    await restored(services)
    before = documents(services)
    services.clock.advance(YEAR)
    done = await retain.enforce(services)
    assert (done["deleted"], done["recordings_erased"]) == (0, 0)
    assert documents(services) == before
    assert len(services.audio.held) == 1


async def test_an_object_hold_without_a_legal_hold_delays_the_erasure_by_one_run() -> None:
    """A retention run read the visit under hold, and set the object hold after the release."""
    services = made()
    await transcribed(services)
    await run_tasks(services)
    await services.audio.hold("recordings", "visits/user-1/visit-1/", held=True)
    services.clock.advance(YEAR)
    with pytest.raises(Transient):
        await retain.enforce(services)
    assert (await retain.enforce(services))["recordings_erased"] == 1


async def test_retention_sets_no_object_hold_if_the_legal_hold_ends_during_the_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    services = made()
    await transcribed(services)
    await run_tasks(services)
    await commands.hold(services, "visit-1", legally=True)
    services.clock.advance(YEAR)
    with_audio = services.retention_queries.with_audio

    async def released_after_the_read(*asked: object) -> object:
        page = await with_audio(*asked)  # type: ignore[arg-type]
        if page.items:
            await commands.hold(services, "visit-1", legally=False)
        return page

    monkeypatch.setattr(services.retention_queries, "with_audio", released_after_the_read)
    await retain.enforce(services)
    assert services.audio.held == set()
