"""A backup brings back what was deleted; it can be deleted again, in whatever part it came back."""

import copy
from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lumimd.domain.errors import ErrorCode, Permanent, RefusalCode, Refused
from lumimd.domain.visit import Deletion, ProcessingStatus
from lumimd.pipeline import accept, commands, delete, recover, retain
from lumimd.pipeline.delete import delete_remains
from lumimd.policies.deployment import Policy
from tests.support.parts import MemoryParts, tone, transcribed, upload
from tests.support.visits import minutes_pass, run_tasks, visit_of

HOUR = timedelta(hours=1)

OF_THE_VISIT: dict[str, Callable[[str], bool]] = {
    "visit": lambda path: path == "visits/visit-1",
    "transcript": lambda path: path.startswith("visits/visit-1/transcript"),
    "history": lambda path: path.startswith("visits/visit-1/history"),
    "actions": lambda path: path.startswith("actions/"),
    "dead letter": lambda path: path.startswith("deadLetters/"),
}


@pytest.fixture
def parts() -> MemoryParts:
    return made()


def made(**policy: object) -> MemoryParts:
    return MemoryParts(policy=Policy(bucket="recordings", requires_consent=False, **policy))  # type: ignore[arg-type]


async def a_backup(parts: MemoryParts) -> dict[str, dict[str, object]]:
    """Of a complete visit, which is there."""
    await transcribed(parts)
    await run_tasks(parts)
    return {path: copy.deepcopy(document) for path, document in parts.store.raw.items()}


def restore(parts: MemoryParts, backup: dict[str, dict[str, object]], *kinds: str) -> None:
    """An import writes documents as they were; receipts and holds are not among them."""
    for path, document in backup.items():
        if any(OF_THE_VISIT[kind](path) for kind in kinds or OF_THE_VISIT):
            parts.store.raw[path] = copy.deepcopy(document)


async def swept(parts: MemoryParts) -> None:
    for _ in range(3):
        parts.clock.advance(HOUR)
        await recover.wake_due(parts)


def left(parts: MemoryParts) -> list[str]:
    return [path for path in parts.store.raw if any(is_of(path) for is_of in OF_THE_VISIT.values())]


async def receipt(parts: MemoryParts) -> Deletion:
    found = await parts.deletions.get("visit-1")
    assert found
    return found[0]


async def test_a_restored_visit_is_deleted_again_and_counted_in_the_same_receipt(
    parts: MemoryParts,
) -> None:
    backup = await a_backup(parts)
    await commands.delete(parts, "visit-1")
    await swept(parts)
    once = await receipt(parts)
    restore(parts, backup)
    await commands.delete(parts, "visit-1")
    assert await parts.store.get("visit-1") is None
    await swept(parts)
    twice = await receipt(parts)
    assert left(parts) == []
    assert once.completed_at
    assert twice.completed_at
    assert twice.completed_at > once.completed_at
    for kind in ("visits", "transcript", "history", "actions"):
        assert twice.counts[kind] == 2 * once.counts[kind], kind


@settings(deadline=None, max_examples=40)
@given(
    kinds=st.sets(st.sampled_from(sorted(OF_THE_VISIT)), min_size=1),
    first_swept=st.booleans(),
    recording=st.booleans(),
)
async def test_whatever_comes_back_goes_again(
    kinds: set[str], first_swept: bool, recording: bool
) -> None:
    """Also before the first deletion is complete, and with or without the visit's document."""
    parts = made()
    backup = await a_backup(parts)
    await commands.delete(parts, "visit-1")
    if first_swept:
        await swept(parts)
    restore(parts, backup, *kinds)
    if recording:
        parts.audio.put(upload().audio, tone(seconds=2))
    if "visit" in kinds:
        await commands.delete(parts, "visit-1")
    else:
        await delete_remains(parts, "visit-1", "user-1")
    await swept(parts)
    assert left(parts) == []
    assert not await parts.audio.has("recordings", "visits/user-1/visit-1/")
    assert (await receipt(parts)).completed_at
    assert not await delete_remains(parts, "visit-1", "user-1")


async def test_a_visit_restored_before_the_first_sweep_goes_with_that_sweep(
    parts: MemoryParts,
) -> None:
    backup = await a_backup(parts)
    await commands.delete(parts, "visit-1")
    restore(parts, backup)
    await swept(parts)
    assert left(parts) == []
    assert (await receipt(parts)).completed_at


async def test_two_at_once_delete_a_restored_visit_once(parts: MemoryParts) -> None:
    import asyncio

    backup = await a_backup(parts)
    await commands.delete(parts, "visit-1")
    await swept(parts)
    restore(parts, backup)
    await asyncio.gather(*(delete.begin_deletion(parts, "visit-1") for _ in range(5)))
    await swept(parts)
    assert (await receipt(parts)).counts["visits"] == 2


async def test_a_restored_visit_whose_recording_is_gone_stays_usable(parts: MemoryParts) -> None:
    backup = await a_backup(parts)
    await parts.audio.erase("recordings", "visits/user-1/visit-1/")
    restore(parts, backup)
    assert (await visit_of(parts)).summary
    assert await parts.store.transcript("visit-1")
    with pytest.raises(Permanent) as missing:
        await parts.audio.measure((await visit_of(parts)).audio or upload().audio)
    assert missing.value.code is ErrorCode.AUDIO_MISSING
    parts.clock.advance(timedelta(days=40))
    await retain.enforce(parts)
    assert (await visit_of(parts)).audio_erased_at, "noted, so that the next run passes it over"
    await commands.delete(parts, "visit-1")
    await swept(parts)
    assert left(parts) == []


async def test_retention_deletes_a_restored_visit_like_any_other() -> None:
    parts = made(transcript_retention=timedelta(days=60))
    backup = await a_backup(parts)
    await commands.delete(parts, "visit-1")
    await swept(parts)
    restore(parts, backup)
    parts.clock.advance(timedelta(days=61))
    assert (await retain.enforce(parts))["deleted"] == 1
    await swept(parts)
    assert left(parts) == []


async def test_a_visit_restored_from_before_its_hold_is_not_deleted(parts: MemoryParts) -> None:
    backup = await a_backup(parts)
    await commands.hold(parts, "visit-1", legally=True)
    restore(parts, backup)
    assert not (await visit_of(parts)).legal_hold
    with pytest.raises(Refused) as refused:
        await commands.delete(parts, "visit-1")
    assert refused.value.code is RefusalCode.LEGAL_HOLD
    await commands.hold(parts, "visit-1", legally=True)
    assert (await visit_of(parts)).legal_hold


async def test_a_sweep_takes_nothing_of_a_visit_that_came_back_under_hold(
    parts: MemoryParts,
) -> None:
    await a_backup(parts)
    await commands.hold(parts, "visit-1", legally=True)
    held = {path: copy.deepcopy(each) for path, each in parts.store.raw.items()}
    await commands.hold(parts, "visit-1", legally=False)
    await commands.delete(parts, "visit-1")
    restore(parts, held)
    await swept(parts)
    restored = {path for path in held if any(is_of(path) for is_of in OF_THE_VISIT.values())}
    assert restored <= set(left(parts))
    assert await parts.store.transcript("visit-1")
    assert (await receipt(parts)).completed_at is None
    await commands.hold(parts, "visit-1", legally=False)
    await swept(parts)
    assert left(parts) == []


async def test_a_restored_visit_that_was_under_way_goes_on_and_orders_nothing_again(
    parts: MemoryParts,
) -> None:
    await accept.accept(parts, parts.upload())
    backup = {path: copy.deepcopy(each) for path, each in parts.store.raw.items()}
    job = parts.transcriber.orders[-1].transcript_id
    restore(parts, backup)
    assert (await visit_of(parts)).processing_status is ProcessingStatus.TRANSCRIBING
    await minutes_pass(parts, 5)
    assert [each.transcript_id for each in parts.transcriber.orders] == [job]
