"""Test that recordings over the daily quota wait and are transcribed later."""

from collections import Counter
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from lumimd.domain.audio import Audio
from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import MeasuringDied, Transient
from lumimd.domain.progress import Step
from lumimd.domain.visit import ProcessingStatus
from lumimd.pipeline import collect, recover
from lumimd.policies import job_limit
from lumimd.policies.pseudonyms import Pseudonyms
from lumimd.policies.tiers import Tier
from lumimd.ports.transcriber import Failed, Transcribed
from tests.support.permits import minute_passes, provider_of, services_with, upload
from tests.support.services import MemoryServices, transcript
from tests.support.visits import visit_of


def bucket_of(user: str) -> str:
    return f"visits-{Pseudonyms().of(user)}"


class Killed(BaseException):
    """A simulated crash of the process, which no handler of the pipeline catches."""


@pytest.fixture(autouse=True)
def _jobs_may_run_for_days(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let jobs run for days without a time limit."""
    monkeypatch.setattr(job_limit, "MARGIN", timedelta(days=30))
    monkeypatch.setattr(job_limit, "LONGEST", timedelta(days=30))


async def test_recordings_over_the_quota_wait_and_are_transcribed_later() -> None:
    services = services_with(50)
    services.gate.has_quota = True
    for n in range(22):
        await upload(services, f"ann-{n:02d}")
    assert len(provider_of(services).orders) == 20
    waiting = await visit_of(services, "ann-21")
    assert (waiting.turn, waiting.processing_status) == (None, ProcessingStatus.PENDING)
    assert waiting.wake_at
    pause = waiting.wake_at - services.clock.now()
    one_more = timedelta(hours=1, minutes=12)
    assert one_more <= pause < 2 * one_more
    history = await services.store.history("ann-21")
    assert history[-1].detail == "over_quota"
    services.clock.advance(2 * one_more)
    await recover.wake_due(services)
    assert len(provider_of(services).orders) == 22


@pytest.mark.no_cover  # coverage tracing at least doubles the duration of this test
async def test_a_visit_checks_the_quota_less_often_the_longer_it_waits() -> None:
    """If each free place woke all 100 waiting visits, they would check 5,000 times."""
    services = services_with(50)
    services.gate.has_quota = True
    for n in range(120):
        await upload(services, f"ann-{n:03d}")
    leases = 0
    for _ in range(7 * 24):
        services.clock.advance(timedelta(hours=1))
        await recover.wake_due(services)
        if len(provider_of(services).orders) == 120:
            break
    for n in range(20, 120):
        history = await services.store.history(f"ann-{n:03d}")
        leases += sum(entry.event == "submission_claimed" for entry in history)
    assert len(provider_of(services).orders) == 120, "no visit waits much longer than five days"
    assert leases < 2_000


async def test_a_visit_queued_by_the_previous_release_keeps_its_turn() -> None:
    """Visits of the previous release have no field `counted`."""
    services = services_with(1)
    services.gate.has_quota = True
    for user in ("ann", "bob", "cem"):
        await upload(services, f"{user}-1")
    for user in ("bob", "cem"):
        del services.store.raw[f"visits/{user}-1"]["counted"]
    for _ in range(3):
        await minute_passes(services)
    assert provider_of(services).ordered_for() == ["ann-1", "bob-1", "cem-1"]
    kept = await services.gate.buckets.all()
    assert kept[bucket_of("bob")].missing == kept[bucket_of("ann")].missing


async def test_a_recording_whose_job_is_lost_counts_once_for_the_quota() -> None:
    services = services_with(50)
    services.gate.has_quota = True
    for n in range(20):
        await upload(services, f"ann-{n:02d}")
    lost = Failed(ErrorCode.TRANSCRIPTION_FAILED, is_transient=True)
    await minute_passes(services, finish=())
    provider_of(services).finish("job-7", lost)
    await collect.collect(services, "ann-07", 1, "job-7")
    for _ in range(3):
        await minute_passes(services, finish=())
    assert provider_of(services).ordered_for().count("ann-07") == 2


async def test_a_visit_that_waits_for_the_quota_does_not_expire() -> None:
    services = services_with(50)
    services.gate.has_quota = True
    services.policy = replace(services.policy, expires_after=timedelta(hours=5))
    for n in range(26):
        await upload(services, f"ann-{n:02d}")
    for _ in range(6):
        services.clock.advance(timedelta(hours=1, minutes=12))
        await recover.wake_due(services)
    assert len(provider_of(services).orders) == 26


@pytest.mark.parametrize("permits", [1, 50])
async def test_a_visit_that_waited_long_does_not_expire_if_its_first_submission_fails(
    permits: int,
) -> None:
    """The visit waited in the fair queue (one permit) or for the quota (fifty permits)."""
    services = services_with(permits)
    provider = provider_of(services)
    services.gate.has_quota = True
    for n in range(21):
        await upload(services, f"ann-{n:02d}")
    for job in provider.running():
        provider.finish(job, Transcribed(transcript()))
    services.clock.advance(services.policy.expires_after * 2)
    provider.is_down = True
    await recover.wake_due(services)
    last = (await visit_of(services, "ann-20")).current_step
    assert last is (Step.QUEUED if permits == 1 else Step.SUBMITTING)
    provider.is_down = False
    for _ in range(24):
        await minute_passes(services)
    assert sorted(set(provider.ordered_for())) == [f"ann-{n:02d}" for n in range(21)]


async def test_a_visit_over_the_free_quota_is_transcribed_in_the_paid_tier() -> None:
    services = services_with(50)
    services.gate.has_quota = True
    for n in range(22):
        await upload(services, f"ann-{n:02d}")
    services.store.raw["users/ann"] = {"tier": Tier.PAID}
    await upload(services, "ann-new")
    assert len(provider_of(services).orders) == 21


async def test_a_recording_that_waits_for_a_permit_counts_once_for_the_quota() -> None:
    services = services_with(1)
    services.gate.has_quota = True
    await upload(services, "bob-1")
    await upload(services, "ann-1")
    for _ in range(130):
        await minute_passes(services, finish=())
    await minute_passes(services)
    await minute_passes(services)
    assert provider_of(services).ordered_for() == ["bob-1", "ann-1"]
    kept = await services.gate.buckets.all()
    per_recording = kept[bucket_of("bob")].missing
    assert kept[bucket_of("ann")].missing == per_recording


async def test_a_recording_over_the_quota_is_not_opened() -> None:
    services = services_with(50)
    services.gate.has_quota = True
    opened = counting(services)
    for n in range(22):
        await upload(services, f"ann-{n:02d}")
    assert opened["ann"] == 20
    await upload(services, "bob-1")
    assert opened["bob"] == 1


@pytest.mark.parametrize("raises", [Transient, MeasuringDied, Killed])
async def test_a_recording_that_repeatedly_fails_to_open_counts_once_for_the_quota(
    raises: type[BaseException],
) -> None:
    """Opening fails because the bucket, the measuring process or the worker fails."""
    services = services_with(50)
    services.gate.has_quota = True
    await upload(services, "bob-1")
    measure = services.audio.measure

    async def fails(audio: Audio) -> Audio:
        raise raises(ErrorCode.INTERNAL_ERROR)

    services.audio.measure = fails  # type: ignore[method-assign]
    with suppress(Killed):
        await upload(services, "ann-1")
    for _ in range(2):
        services.clock.advance(timedelta(minutes=3))
        with suppress(Killed):
            await recover.wake_due(services)
    services.audio.measure = measure  # type: ignore[method-assign]
    for _ in range(10):
        await minute_passes(services)
    assert provider_of(services).ordered_for() == ["bob-1", "ann-1"]
    kept = await services.gate.buckets.all()
    # Quota is restored over time, and Ann's recording counted minutes after Bob's.
    assert kept[bucket_of("ann")].missing == pytest.approx(kept[bucket_of("bob")].missing, abs=0.01)


def counting(services: MemoryServices) -> Counter[str]:
    """Count the recordings that are opened from now on, by user."""
    measure, opened = services.audio.measure, Counter[str]()

    async def counted(audio: Audio) -> Audio:
        opened[audio.owner] += 1
        return await measure(audio)

    services.audio.measure = counted  # type: ignore[method-assign]
    return opened
