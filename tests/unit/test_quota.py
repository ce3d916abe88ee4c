"""Who has had enough recordings for today waits, and is transcribed later."""

from collections import Counter
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from lumimd.domain.audio import Audio
from lumimd.domain.errors import ErrorCode, MeasuringDied, Transient
from lumimd.domain.progress import Step
from lumimd.domain.visit import ProcessingStatus
from lumimd.pipeline import collect, recover
from lumimd.policies import job_limit
from lumimd.policies.pseudonyms import Pseudonyms
from lumimd.policies.tiers import Tier
from lumimd.ports.transcriber import Failed, Transcribed
from tests.support.parts import MemoryParts, transcript
from tests.support.places import minute_passes, parts_with, provider_of, upload
from tests.support.visits import visit_of


def bucket_of(user: str) -> str:
    return f"visits-{Pseudonyms().of(user)}"


class Killed(BaseException):
    """Ends a process: no handler of the pipeline catches it."""


@pytest.fixture(autouse=True)
def _jobs_may_run_for_days(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing ends the jobs of these tests."""
    monkeypatch.setattr(job_limit, "MARGIN", timedelta(days=30))
    monkeypatch.setattr(job_limit, "LONGEST", timedelta(days=30))


async def test_over_the_quota_recordings_wait_and_are_transcribed_later() -> None:
    parts = parts_with(50)
    parts.gate.has_quota = True
    for n in range(22):
        await upload(parts, f"ann-{n:02d}")
    assert len(provider_of(parts).orders) == 20
    waiting = await visit_of(parts, "ann-21")
    assert (waiting.turn, waiting.processing_status) == (None, ProcessingStatus.PENDING)
    assert waiting.wake_at
    pause = waiting.wake_at - parts.clock.now()
    one_more = timedelta(hours=1, minutes=12)
    assert one_more <= pause < 2 * one_more
    history = await parts.store.history("ann-21")
    assert history[-1].detail == "over_quota"
    parts.clock.advance(2 * one_more)
    await recover.wake_due(parts)
    assert len(provider_of(parts).orders) == 22


@pytest.mark.no_cover  # traced, so many visits take twice as long or more
async def test_the_longer_a_visit_waits_for_the_quota_the_more_rarely_it_asks() -> None:
    """A hundred visits that all asked for each next recording would ask five thousand times."""
    parts = parts_with(50)
    parts.gate.has_quota = True
    for n in range(120):
        await upload(parts, f"ann-{n:03d}")
    claims = 0
    for _ in range(7 * 24):
        parts.clock.advance(timedelta(hours=1))
        await recover.wake_due(parts)
        if len(provider_of(parts).orders) == 120:
            break
    for n in range(20, 120):
        history = await parts.store.history(f"ann-{n:03d}")
        claims += sum(entry.event == "submission_claimed" for entry in history)
    assert len(provider_of(parts).orders) == 120, "nobody waits for much longer than five days"
    assert claims < 2_000


async def test_who_joined_the_line_under_the_release_before_keeps_its_turn() -> None:
    """It knew nothing of `counted`."""
    parts = parts_with(1)
    parts.gate.has_quota = True
    for user in ("ann", "bob", "cem"):
        await upload(parts, f"{user}-1")
    for user in ("bob", "cem"):
        del parts.store.raw[f"visits/{user}-1"]["counted"]
    for _ in range(3):
        await minute_passes(parts)
    assert provider_of(parts).ordered_for() == ["ann-1", "bob-1", "cem-1"]
    kept = await parts.gate.buckets.all()
    assert kept[bucket_of("bob")].missing == kept[bucket_of("ann")].missing


async def test_a_job_that_the_provider_lost_does_not_count_again() -> None:
    parts = parts_with(50)
    parts.gate.has_quota = True
    for n in range(20):
        await upload(parts, f"ann-{n:02d}")
    lost = Failed(ErrorCode.TRANSCRIPTION_FAILED, is_transient=True)
    await minute_passes(parts, finish=())
    provider_of(parts).finish("job-7", lost)
    await collect.collect(parts, "ann-07", 1, "job-7")
    for _ in range(3):
        await minute_passes(parts, finish=())
    assert provider_of(parts).ordered_for().count("ann-07") == 2


async def test_who_waits_for_the_quota_is_not_expired_like_who_never_records() -> None:
    parts = parts_with(50)
    parts.gate.has_quota = True
    parts.policy = replace(parts.policy, expires_after=timedelta(hours=5))
    for n in range(26):
        await upload(parts, f"ann-{n:02d}")
    for _ in range(6):
        parts.clock.advance(timedelta(hours=1, minutes=12))
        await recover.wake_due(parts)
    assert len(provider_of(parts).orders) == 26


@pytest.mark.parametrize("places", [1, 50])
async def test_who_waited_for_long_is_not_expired_when_the_first_order_fails(places: int) -> None:
    """In line, or for the quota."""
    parts = parts_with(places)
    provider = provider_of(parts)
    parts.gate.has_quota = True
    for n in range(21):
        await upload(parts, f"ann-{n:02d}")
    for job in provider.running():
        provider.finish(job, Transcribed(transcript()))
    parts.clock.advance(parts.policy.expires_after * 2)
    provider.is_down = True
    await recover.wake_due(parts)
    last = (await visit_of(parts, "ann-20")).current_step
    assert last is (Step.QUEUED if places == 1 else Step.SUBMITTING)
    provider.is_down = False
    for _ in range(24):
        await minute_passes(parts)
    assert sorted(set(provider.ordered_for())) == [f"ann-{n:02d}" for n in range(21)]


async def test_another_tier_lets_those_who_wait_pass() -> None:
    parts = parts_with(50)
    parts.gate.has_quota = True
    for n in range(22):
        await upload(parts, f"ann-{n:02d}")
    parts.gate.tiers.set("ann", Tier.PAID)
    await upload(parts, "ann-new")
    assert len(provider_of(parts).orders) == 21


async def test_one_recording_counts_once_however_often_it_is_tried() -> None:
    parts = parts_with(1)
    parts.gate.has_quota = True
    await upload(parts, "bob-1")
    await upload(parts, "ann-1")
    for _ in range(130):
        await minute_passes(parts, finish=())
    await minute_passes(parts)
    await minute_passes(parts)
    assert provider_of(parts).ordered_for() == ["bob-1", "ann-1"]
    kept = await parts.gate.buckets.all()
    per_recording = kept[bucket_of("bob")].missing
    assert kept[bucket_of("ann")].missing == per_recording


async def test_a_recording_over_the_quota_is_not_opened() -> None:
    parts = parts_with(50)
    parts.gate.has_quota = True
    opened = counting(parts)
    for n in range(22):
        await upload(parts, f"ann-{n:02d}")
    assert opened["ann"] == 20
    await upload(parts, "bob-1")
    assert opened["bob"] == 1


@pytest.mark.parametrize("raises", [Transient, MeasuringDied, Killed])
async def test_a_recording_counts_once_however_often_it_is_opened(
    raises: type[BaseException],
) -> None:
    """The bucket is away, the process that measures dies, or that of the holder."""
    parts = parts_with(50)
    parts.gate.has_quota = True
    await upload(parts, "bob-1")
    measure = parts.audio.measure

    async def fails(audio: Audio) -> Audio:
        raise raises(ErrorCode.INTERNAL_ERROR)

    parts.audio.measure = fails  # type: ignore[method-assign]
    with suppress(Killed):
        await upload(parts, "ann-1")
    for _ in range(2):
        parts.clock.advance(timedelta(minutes=3))
        with suppress(Killed):
            await recover.wake_due(parts)
    parts.audio.measure = measure  # type: ignore[method-assign]
    for _ in range(10):
        await minute_passes(parts)
    assert provider_of(parts).ordered_for() == ["bob-1", "ann-1"]
    kept = await parts.gate.buckets.all()
    # Ann's came minutes later, and some of what she may have is back already for both.
    assert kept[bucket_of("ann")].missing == pytest.approx(kept[bucket_of("bob")].missing, abs=0.01)


def counting(parts: MemoryParts) -> Counter[str]:
    """How many recordings of each user are opened."""
    measure, opened = parts.audio.measure, Counter[str]()

    async def counted(audio: Audio) -> Audio:
        opened[audio.owner] += 1
        return await measure(audio)

    parts.audio.measure = counted  # type: ignore[method-assign]
    return opened
