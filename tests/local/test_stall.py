"""A visit without progress is detected; running recognition counts as progress, however slow."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from infra.local.stall import Recognition, Signs, Watch, until_stalled, waits_untroubled
from lumimd.domain.codes import ErrorCode
from lumimd.domain.visit import Lease, ProcessingStatus, Trouble, Visit

HOUR_S = 3600
NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)


def idle_after(*looks: Signs) -> float:
    """Return the hours without progress after these hourly looks at the signs of progress."""
    watch = Watch(0)
    for number, signs in enumerate(looks, start=1):
        watch.note(signs, number * HOUR_S)
    return watch.idle_s(len(looks) * HOUR_S) / HOUR_S


def test_a_visit_without_a_document_is_idle_from_the_beginning() -> None:
    assert idle_after(Signs(), Signs(), Signs()) == 3


def test_each_higher_percentage_counts_once_as_progress() -> None:
    assert idle_after(Signs(percent=10), Signs(percent=20)) == 0
    assert idle_after(Signs(percent=20), Signs(percent=20), Signs(percent=20)) == 2


def test_a_percentage_that_goes_up_and_down_is_no_progress() -> None:
    assert idle_after(*(Signs(percent=percent) for percent in (30, 20, 30, 20, 30))) == 4


@pytest.mark.parametrize("cpu_s_an_hour", [1, 100, 3600])
def test_slow_recognition_that_uses_cpu_time_is_progress(cpu_s_an_hour: int) -> None:
    looks = (Signs(30, Recognition(1, hour * cpu_s_an_hour)) for hour in range(1, 100))
    assert idle_after(*looks) == 0


def test_progress_is_kept_when_a_busy_server_answers_no_query() -> None:
    seen = Signs(30, Recognition(1, 10.0)), Signs(30), Signs(30), Signs(30, Recognition(1, 11.0))
    assert idle_after(*seen) == 0


@pytest.mark.parametrize(
    "work",
    [
        Recognition(1, 5.0),  # the recognizer hangs
        Recognition(1, 5.01),  # the recognizer only answers queries
        Recognition(0, 500.0),  # the recognizer runs no job of a visit
    ],
)
def test_a_recognizer_that_does_no_recognition_work_is_not_counted_as_progress(
    work: Recognition,
) -> None:
    assert idle_after(Signs(30, Recognition(1, 5.0)), Signs(30, work), Signs(30, work)) == 2


def test_an_untroubled_wait_for_the_provider_counts_as_progress() -> None:
    assert idle_after(*[Signs(30, waits_for_provider=True)] * 50) == 0


async def test_the_watch_ends_when_progress_has_stopped_for_its_patience() -> None:
    looks = 0

    async def look() -> Signs:
        nonlocal looks
        looks += 1
        return Signs(percent=min(looks, 50))

    await asyncio.wait_for(until_stalled(look, 0.05), timeout=60)
    assert looks > 50


PENDING = Visit(visit_id="visit-1", user_id="user-1", created_at=NOW, updated_at=NOW)
TRANSCRIBING = PENDING.model_copy(
    update={
        "processing_status": ProcessingStatus.TRANSCRIBING,
        "wake_at": NOW + timedelta(minutes=1),
    }
)
TROUBLE = Trouble(
    first_code=ErrorCode.TRANSCRIPTION_UNAVAILABLE,
    first_at=NOW,
    last_code=ErrorCode.TRANSCRIPTION_UNAVAILABLE,
    last_at=NOW,
)
LEASED = PENDING.model_copy(
    update={"lease": Lease(holder="h", until=NOW + timedelta(minutes=1)), "wake_at": NOW}
)


@pytest.mark.parametrize(
    ("seen", "untroubled"),
    [
        (TRANSCRIBING, True),
        (LEASED, True),
        (TRANSCRIBING.model_copy(update={"trouble": TROUBLE}), False),
        (TRANSCRIBING.model_copy(update={"held_since": NOW}), False),
        (TRANSCRIBING.model_copy(update={"wake_at": NOW - timedelta(minutes=1)}), False),
        (LEASED.model_copy(update={"held_since": NOW}), False),
        (LEASED.model_copy(update={"lease": None}), False),
    ],
)
def test_a_wait_for_the_provider_is_untroubled_without_trouble_a_hold_or_a_missed_wake_up(
    seen: Visit, untroubled: bool
) -> None:
    assert waits_untroubled(seen, NOW) is untroubled
