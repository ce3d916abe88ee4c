"""Test that a deleted visit that a backup restores fully or partly can be deleted again."""

import copy
from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lumimd.domain.codes import ErrorCode, RefusalCode
from lumimd.domain.errors import Permanent, Refused
from lumimd.domain.visit import Deletion, ProcessingStatus
from lumimd.pipeline import accept, commands, delete, recover, retain
from lumimd.pipeline.delete import delete_remains
from lumimd.policies.deployment import Policy
from tests.support.examples import examples
from tests.support.services import MemoryServices, tone, transcribed, upload
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
def services() -> MemoryServices:
    return made()


def made(**policy: object) -> MemoryServices:
    return MemoryServices(policy=Policy(bucket="recordings", requires_consent=False, **policy))  # type: ignore[arg-type]


async def take_backup(services: MemoryServices) -> dict[str, dict[str, object]]:
    """Complete a visit and copy its documents."""
    await transcribed(services)
    await run_tasks(services)
    return {path: copy.deepcopy(document) for path, document in services.store.raw.items()}


def restore(services: MemoryServices, backup: dict[str, dict[str, object]], *kinds: str) -> None:
    """Import documents of the backup, without deletion receipts and legal holds."""
    for path, document in backup.items():
        if any(OF_THE_VISIT[kind](path) for kind in kinds or OF_THE_VISIT):
            services.store.raw[path] = copy.deepcopy(document)


async def swept(services: MemoryServices) -> None:
    for _ in range(3):
        services.clock.advance(HOUR)
        await recover.wake_due(services)


def left(services: MemoryServices) -> list[str]:
    return [
        path for path in services.store.raw if any(is_of(path) for is_of in OF_THE_VISIT.values())
    ]


async def receipt(services: MemoryServices) -> Deletion:
    found = await services.deletions.get("visit-1")
    assert found
    return found[0]


async def test_a_second_deletion_of_a_restored_visit_adds_to_its_deletion_receipt(
    services: MemoryServices,
) -> None:
    backup = await take_backup(services)
    await commands.delete(services, "visit-1")
    await swept(services)
    once = await receipt(services)
    restore(services, backup)
    await commands.delete(services, "visit-1")
    assert await services.store.get("visit-1") is None
    await swept(services)
    twice = await receipt(services)
    assert left(services) == []
    assert once.completed_at
    assert twice.completed_at
    assert twice.completed_at > once.completed_at
    for kind in ("visits", "transcript", "history", "actions"):
        assert twice.counts[kind] == 2 * once.counts[kind], kind


@settings(deadline=None, max_examples=examples(40))
@given(
    kinds=st.sets(st.sampled_from(sorted(OF_THE_VISIT)), min_size=1),
    first_swept=st.booleans(),
    recording=st.booleans(),
)
async def test_each_restored_part_of_a_deleted_visit_is_deleted_again(
    kinds: set[str], first_swept: bool, recording: bool
) -> None:
    """The restore may precede the first sweep and may lack the visit's document."""
    services = made()
    backup = await take_backup(services)
    await commands.delete(services, "visit-1")
    if first_swept:
        await swept(services)
    restore(services, backup, *kinds)
    if recording:
        services.audio.put(upload().audio, tone(seconds=2))
    if "visit" in kinds:
        await commands.delete(services, "visit-1")
    else:
        await delete_remains(services, "visit-1", "user-1")
    await swept(services)
    assert left(services) == []
    assert not await services.audio.has("recordings", "visits/user-1/visit-1/")
    assert (await receipt(services)).completed_at
    assert not await delete_remains(services, "visit-1", "user-1")


async def test_a_visit_restored_before_the_first_sweep_is_deleted_by_that_sweep(
    services: MemoryServices,
) -> None:
    backup = await take_backup(services)
    await commands.delete(services, "visit-1")
    restore(services, backup)
    await swept(services)
    assert left(services) == []
    assert (await receipt(services)).completed_at


async def test_concurrent_deletions_of_a_restored_visit_are_counted_once(
    services: MemoryServices,
) -> None:
    import asyncio

    backup = await take_backup(services)
    await commands.delete(services, "visit-1")
    await swept(services)
    restore(services, backup)
    await asyncio.gather(*(delete.begin_deletion(services, "visit-1") for _ in range(5)))
    await swept(services)
    assert (await receipt(services)).counts["visits"] == 2


async def test_a_restored_visit_without_a_recording_stays_usable(services: MemoryServices) -> None:
    backup = await take_backup(services)
    await services.audio.erase("recordings", "visits/user-1/visit-1/")
    restore(services, backup)
    assert (await visit_of(services)).summary
    assert await services.store.transcript("visit-1")
    with pytest.raises(Permanent) as missing:
        await services.audio.measure((await visit_of(services)).audio or upload().audio)
    assert missing.value.code is ErrorCode.AUDIO_MISSING
    services.clock.advance(timedelta(days=40))
    await retain.enforce(services)
    assert (await visit_of(services)).audio_erased_at, "recorded, so that the next run skips it"
    await commands.delete(services, "visit-1")
    await swept(services)
    assert left(services) == []


async def test_retention_deletes_a_restored_visit_like_any_other() -> None:
    services = made(transcript_retention=timedelta(days=60))
    backup = await take_backup(services)
    await commands.delete(services, "visit-1")
    await swept(services)
    restore(services, backup)
    services.clock.advance(timedelta(days=61))
    assert (await retain.enforce(services))["deleted"] == 1
    await swept(services)
    assert left(services) == []


async def test_a_visit_restored_from_before_its_legal_hold_is_not_deleted(
    services: MemoryServices,
) -> None:
    backup = await take_backup(services)
    await commands.hold(services, "visit-1", legally=True)
    restore(services, backup)
    assert not (await visit_of(services)).legal_hold
    with pytest.raises(Refused) as refused:
        await commands.delete(services, "visit-1")
    assert refused.value.code is RefusalCode.LEGAL_HOLD
    await commands.hold(services, "visit-1", legally=True)
    assert (await visit_of(services)).legal_hold


async def test_a_sweep_keeps_a_visit_restored_under_legal_hold_until_its_release(
    services: MemoryServices,
) -> None:
    await take_backup(services)
    await commands.hold(services, "visit-1", legally=True)
    held = {path: copy.deepcopy(each) for path, each in services.store.raw.items()}
    await commands.hold(services, "visit-1", legally=False)
    await commands.delete(services, "visit-1")
    restore(services, held)
    await swept(services)
    restored = {path for path in held if any(is_of(path) for is_of in OF_THE_VISIT.values())}
    assert restored <= set(left(services))
    assert await services.store.transcript("visit-1")
    assert (await receipt(services)).completed_at is None
    await commands.hold(services, "visit-1", legally=False)
    await swept(services)
    assert left(services) == []


async def test_a_visit_restored_during_transcription_submits_no_second_job(
    services: MemoryServices,
) -> None:
    await accept.accept(services, services.upload())
    backup = {path: copy.deepcopy(each) for path, each in services.store.raw.items()}
    job = services.transcriber.orders[-1].transcript_id
    restore(services, backup)
    assert (await visit_of(services)).processing_status is ProcessingStatus.TRANSCRIBING
    await minutes_pass(services, 5)
    assert [each.transcript_id for each in services.transcriber.orders] == [job]
