"""A held visit that a backup brings back from before its hold is held all the same."""

import copy
from datetime import timedelta

import pytest

from lumimd.domain.errors import RefusalCode, Refused, Transient
from lumimd.operations.rerun import From, rerun
from lumimd.pipeline import accept, commands, retain
from lumimd.policies.deployment import Policy
from tests.support.operators import OperatedParts, operator
from tests.support.parts import MemoryParts, another, tone, transcribed
from tests.support.visits import run_tasks, visit_of
from tests.unit.test_legal_hold import COMMANDS, documents

YEAR = timedelta(days=365)


def made(**policy: object) -> OperatedParts:
    return OperatedParts(
        policy=Policy(bucket="recordings", requires_consent=False, **policy)  # type: ignore[arg-type]
    )


async def restored(parts: MemoryParts) -> None:
    """The mark of the hold is there, and the field of the visit is not set."""
    await transcribed(parts)
    await run_tasks(parts)
    before = copy.deepcopy(parts.store.raw["visits/visit-1"])
    await commands.hold(parts, "visit-1", legally=True)
    parts.store.raw["visits/visit-1"] = before
    assert not (await visit_of(parts)).legal_hold


@pytest.mark.parametrize("command", COMMANDS)
async def test_it_refuses_every_command(command: str) -> None:
    parts = made()
    await restored(parts)
    before = documents(parts)
    with pytest.raises(Refused) as refused:
        await COMMANDS[command](parts)
    assert refused.value.code is RefusalCode.LEGAL_HOLD
    assert documents(parts) == before


@pytest.mark.parametrize("begin", From)
async def test_it_refuses_an_operators_rerun(begin: From) -> None:
    parts = made()
    await restored(parts)
    with pytest.raises(Refused) as refused:
        await rerun(operator(parts), "visit-1", begin)
    assert refused.value.code is RefusalCode.LEGAL_HOLD


async def test_a_recording_that_comes_for_it_waits_for_the_release() -> None:
    parts = made()
    await restored(parts)
    newer, before = another(2), documents(parts)
    parts.audio.put(newer.audio, tone(seconds=2), parts.clock.now())
    await accept.accept(parts, newer)
    visit = await visit_of(parts)
    assert (visit.legal_hold, visit.held_takes) == (True, (newer.audio,))
    assert documents(parts) == before


async def test_retention_erases_and_deletes_nothing_of_it() -> None:
    parts = made(transcript_retention=timedelta(days=60))
    await restored(parts)
    before = documents(parts)
    parts.clock.advance(YEAR)
    done = await retain.enforce(parts)
    assert (done["deleted"], done["recordings_erased"]) == (0, 0)
    assert documents(parts) == before
    assert len(parts.audio.held) == 1


async def test_an_object_hold_that_outlived_its_release_keeps_no_recording_for_ever() -> None:
    """A run of retention had read the visit as held, and the release came before its call."""
    parts = made()
    await transcribed(parts)
    await run_tasks(parts)
    await parts.audio.hold("recordings", "visits/user-1/visit-1/", held=True)
    parts.clock.advance(YEAR)
    with pytest.raises(Transient):
        await retain.enforce(parts)
    assert (await retain.enforce(parts))["recordings_erased"] == 1


async def test_retention_protects_no_recording_of_a_visit_that_was_released_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parts = made()
    await transcribed(parts)
    await run_tasks(parts)
    await commands.hold(parts, "visit-1", legally=True)
    parts.clock.advance(YEAR)
    with_audio = parts.archive.with_audio

    async def as_read_before(*asked: object) -> object:
        page = await with_audio(*asked)  # type: ignore[arg-type]
        if page.items:
            await commands.hold(parts, "visit-1", legally=False)
        return page

    monkeypatch.setattr(parts.archive, "with_audio", as_read_before)
    await retain.enforce(parts)
    assert parts.audio.held == set()
