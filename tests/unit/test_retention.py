"""What was kept for long enough goes, in virtual time."""

from dataclasses import replace
from datetime import timedelta

import pytest

from lumimd.domain.errors import ErrorCode, Held
from lumimd.domain.visit import ProcessingStatus, Status
from lumimd.pipeline import accept, commands, recover, retain
from lumimd.policies.deployment import Policy
from tests.support.parts import MemoryParts
from tests.unit.test_commands import run_tasks, transcribed, visit_of
from tests.unit.test_deletion import settle

DAY = timedelta(days=1)


@pytest.fixture
def parts() -> MemoryParts:
    return MemoryParts()


async def test_a_recording_is_erased_after_thirty_days_and_what_was_made_of_it_stays(
    parts: MemoryParts,
) -> None:
    await transcribed(parts)
    await run_tasks(parts)
    parts.clock.advance(30 * DAY - timedelta(seconds=1))
    assert (await retain.enforce(parts))["recordings_erased"] == 0
    parts.clock.advance(DAY)
    assert (await retain.enforce(parts))["recordings_erased"] == 1
    assert not parts.audio._content
    visit = await visit_of(parts)
    assert (visit.status, visit.audio_erased_at) == (Status.COMPLETED, parts.clock.now())
    assert await parts.store.transcript("visit-1")
    assert (await retain.enforce(parts))["recordings_erased"] == 0, "once is enough"


async def test_a_recording_that_has_just_come_is_not_erased_with_the_one_before(
    parts: MemoryParts,
) -> None:
    """Its event is still on its way."""
    await transcribed(parts)
    await run_tasks(parts)
    parts.clock.advance(31 * DAY)
    uploaded = parts.upload(generation=2)
    again = uploaded.model_copy(update={"announced_at": parts.clock.now()})
    await retain.enforce(parts)
    await accept.accept(parts, again)
    visit = await visit_of(parts)
    assert (visit.attempt, visit.processing_status) == (2, ProcessingStatus.TRANSCRIBING)


async def test_transcripts_are_kept_unless_a_setting_ends_that(parts: MemoryParts) -> None:
    await transcribed(parts)
    await run_tasks(parts)
    parts.clock.advance(400 * DAY)
    await retain.enforce(parts)
    assert await parts.store.transcript("visit-1")
    parts.policy = replace(parts.policy, transcript_retention=365 * DAY)
    assert (await retain.enforce(parts))["deleted"] == 1
    await settle(parts)
    assert list(parts.store.documents()) == ["deletions/visit-1"]


async def test_a_visit_held_for_legal_reasons_survives(parts: MemoryParts) -> None:
    parts.policy = Policy(requires_consent=False, transcript_retention=DAY)
    await transcribed(parts)
    await run_tasks(parts)
    await commands.hold(parts, "visit-1", legally=True)
    parts.clock.advance(400 * DAY)
    done = await retain.enforce(parts)
    assert (done["deleted"], done["recordings_erased"]) == (0, 0)
    assert parts.audio._content


async def test_a_visit_without_a_recording_expires(parts: MemoryParts) -> None:
    await commands.create(parts, visit_id="visit-1", user_id="user-1", consent=True)
    parts.clock.advance(7 * DAY - timedelta(seconds=1))
    assert (await retain.enforce(parts))["expired"] == 0
    parts.clock.advance(timedelta(seconds=1))
    assert (await retain.enforce(parts))["expired"] == 1
    visit = await visit_of(parts)
    assert visit.status is Status.EXPIRED
    assert await parts.store.dead_letter("visit-1") is None


async def test_a_visit_that_waits_for_a_provider_for_a_week_expires(parts: MemoryParts) -> None:
    async def held(*_: object, **__: object) -> str:
        raise Held(ErrorCode.TRANSCRIPTION_UNAVAILABLE, retry_after_s=60)

    parts.transcriber.submit = held  # type: ignore[method-assign]
    await accept.accept(parts, parts.upload())
    for _ in range(8 * 24):
        await recover.wake_due(parts)
        parts.clock.advance(timedelta(hours=1))
    visit = await visit_of(parts)
    assert (visit.status, visit.wake_at) == (Status.EXPIRED, None)
    assert await parts.store.dead_letter("visit-1"), "somebody has to look at that"


async def test_one_visit_that_makes_trouble_stops_no_other(parts: MemoryParts) -> None:
    await transcribed(parts)
    await run_tasks(parts)
    await commands.create(parts, visit_id="visit-2", user_id="user-1", consent=True)
    parts.clock.advance(31 * DAY)

    async def broken(bucket: str, folder: str, up_to: int | None = None) -> int:
        raise ValueError

    parts.audio.erase = broken  # type: ignore[method-assign]
    with pytest.raises(ExceptionGroup):
        await retain.enforce(parts)
    stored = await parts.store.get("visit-2")
    assert stored
    assert stored.visit.status is Status.EXPIRED
