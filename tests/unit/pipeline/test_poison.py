"""Test that a recording that kills its process (a poison pill) harms no other visit."""

import asyncio
from datetime import timedelta

import pytest

from lumimd.domain.audio import Audio
from lumimd.domain.codes import ErrorCode
from lumimd.domain.commit import Stored
from lumimd.domain.errors import MeasuringDied, Transient
from lumimd.domain.timing import MAX_TRIES
from lumimd.domain.visit import ProcessingStatus
from lumimd.pipeline import accept, recover
from lumimd.pipeline import submit as pipeline
from tests.support.permits import minute_passes, provider_of, services_with, upload
from tests.support.services import MemoryServices
from tests.support.visits import visit_of

LEASE_EXPIRES = timedelta(minutes=2)


class Killed(BaseException):
    """A simulated kill of the process."""


@pytest.fixture
def services() -> MemoryServices:
    return MemoryServices()


class Opening:
    """A stub that records each opened visit and how many recordings are open then."""

    def __init__(self, services: MemoryServices, *, poison: str) -> None:
        self.opened: list[tuple[str, int]] = []
        self.poison = poison
        self._now = 0
        self._measure = services.audio.measure

    async def measure(self, audio: Audio) -> Audio:
        visit_id = audio.storage_path.split("/")[2]
        self._now += 1
        self.opened.append((visit_id, self._now))
        try:
            if visit_id == self.poison:
                raise Killed
            await asyncio.sleep(0)
            return await self._measure(audio)
        finally:
            self._now -= 1


async def killed_while_opening(services: MemoryServices, visit_id: str) -> None:
    with pytest.raises(Killed):
        await accept.accept(services, services.upload(visit_id))


async def test_a_visit_with_an_expired_lease_is_processed_last_and_alone(
    services: MemoryServices,
) -> None:
    opening = Opening(services, poison="poison")
    services.audio.measure = opening.measure  # type: ignore[method-assign]
    submit, services.transcriber.submit = services.transcriber.submit, is_down  # type: ignore[method-assign]
    await killed_while_opening(services, "poison")
    for n in (1, 2):
        await accept.accept(services, services.upload(f"innocent-{n}"))
    services.transcriber.submit = submit  # type: ignore[method-assign]
    opening.opened.clear()
    services.clock.advance(LEASE_EXPIRES)
    with pytest.raises(Killed):
        await recover.wake_due(services)
    assert opening.opened == [("innocent-1", 1), ("innocent-2", 2), ("poison", 1)]
    for n in (1, 2):
        visit = await visit_of(services, f"innocent-{n}")
        assert visit.processing_status is ProcessingStatus.TRANSCRIBING


async def test_visits_with_expired_leases_are_processed_while_the_fair_queue_fails(
    services: MemoryServices,
) -> None:
    opening = Opening(services, poison="visit-1")
    measure, services.audio.measure = services.audio.measure, opening.measure  # type: ignore[method-assign]
    await killed_while_opening(services, "visit-1")
    services.audio.measure = measure  # type: ignore[method-assign]

    async def unavailable(_: object) -> list[Stored]:
        raise Transient(ErrorCode.INTERNAL_ERROR)

    services.admission.admit_waiting = unavailable  # type: ignore[method-assign]
    services.clock.advance(LEASE_EXPIRES)
    with pytest.raises(Transient):
        await recover.wake_due(services)
    visit = await visit_of(services, "visit-1")
    assert visit.processing_status is ProcessingStatus.TRANSCRIBING


async def is_down(audio_url: str, *, visit_id: str, attempt: int) -> str:
    raise Transient(ErrorCode.TRANSCRIPTION_UNAVAILABLE)


async def test_after_three_crashes_a_job_is_submitted_without_opening_the_recording(
    services: MemoryServices,
) -> None:
    """The provider may be able to read a recording that crashes the worker."""
    opening = Opening(services, poison="poison")
    services.audio.measure = opening.measure  # type: ignore[method-assign]
    await killed_while_opening(services, "poison")
    for _ in range(MAX_TRIES - 1):
        services.clock.advance(LEASE_EXPIRES)
        with pytest.raises(Killed):
            await recover.wake_due(services)
    services.clock.advance(LEASE_EXPIRES)
    await recover.wake_due(services)
    assert len(opening.opened) == MAX_TRIES
    visit = await visit_of(services, "poison")
    assert visit.processing_status is ProcessingStatus.TRANSCRIBING
    assert (visit.expired_leases, len(services.transcriber.orders)) == (0, 1)


async def test_a_submission_that_always_crashes_ends_as_a_dead_letter(
    services: MemoryServices,
) -> None:
    async def killed(audio_url: str, *, visit_id: str, attempt: int) -> str:
        raise Killed

    services.transcriber.submit = killed  # type: ignore[method-assign]
    await killed_while_opening(services, "visit-1")
    for _ in range(pipeline.MAX_EXPIRED_LEASES):
        services.clock.advance(LEASE_EXPIRES)
        with pytest.raises(Killed):
            await recover.wake_due(services)
    services.clock.advance(LEASE_EXPIRES)
    await recover.wake_due(services)
    letter = await services.store.dead_letter("visit-1")
    assert letter
    assert letter.code is ErrorCode.TRANSCRIPTION_UNAVAILABLE
    assert letter.tries == pipeline.MAX_EXPIRED_LEASES + 2, (
        "the expired leases, and the lease that gives up"
    )


async def test_the_job_of_a_crashed_worker_is_used_although_its_recording_is_erased(
    services: MemoryServices,
) -> None:
    """The worker crashed, and its paid job runs although the recording was erased."""
    opening = Opening(services, poison="visit-1")
    measure, services.audio.measure = services.audio.measure, opening.measure  # type: ignore[method-assign]
    await killed_while_opening(services, "visit-1")
    services.audio.measure = measure  # type: ignore[method-assign]
    audio = (await visit_of(services, "visit-1")).audio
    assert audio
    url = await services.audio.signed_url(audio, timedelta(hours=1))
    ordered = await services.transcriber.submit(url, visit_id="visit-1", attempt=1)
    await services.audio.erase(audio.bucket, "visits/")
    services.clock.advance(LEASE_EXPIRES)
    await recover.wake_due(services)
    visit = await visit_of(services, "visit-1")
    assert visit.processing_status is ProcessingStatus.TRANSCRIBING
    assert visit.transcription
    assert visit.transcription.transcript_id == ordered


def crash_measuring(services: MemoryServices) -> list[Audio]:
    """Make each measuring process crash; returns the list of opened recordings."""
    opened: list[Audio] = []

    async def crash(audio: Audio) -> Audio:
        opened.append(audio)
        raise MeasuringDied(ErrorCode.INTERNAL_ERROR)

    services.audio.measure = crash  # type: ignore[method-assign]
    return opened


async def test_after_three_crashes_of_measuring_a_job_is_submitted_without_measuring(
    services: MemoryServices,
) -> None:
    """The worker survives and retries; after three crashes the recording is not opened."""
    opened = crash_measuring(services)
    await accept.accept(services, services.upload())
    for expired_leases in range(1, MAX_TRIES + 1):
        visit = await visit_of(services)
        assert (visit.expired_leases, visit.stage_tries, len(opened)) == (
            expired_leases,
            0,
            expired_leases,
        )
        assert visit.wake_at
        services.clock.advance(visit.wake_at - services.clock.now())
        await recover.wake_due(services)
    visit = await visit_of(services)
    assert visit.processing_status is ProcessingStatus.TRANSCRIBING
    assert (len(opened), len(services.transcriber.orders)) == (MAX_TRIES, 1)


async def test_a_recording_is_opened_three_times_at_most_even_after_a_wait_in_the_queue() -> None:
    services = services_with(1)
    await upload(services, "bob-1")
    opened = crash_measuring(services)
    await upload(services, "ann-1")
    for _ in range(30):
        await minute_passes(services, finish=())
    assert (await visit_of(services, "ann-1")).turn is not None
    for _ in range(2):
        await minute_passes(services)
    assert provider_of(services).ordered_for() == ["bob-1", "ann-1"]
    assert len(opened) == MAX_TRIES
