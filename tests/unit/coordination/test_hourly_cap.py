"""Test the hourly cap of paid jobs (orders): visits over the cap or a user's share wait."""

import asyncio
from collections import Counter
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lumimd.adapters.memory import ManualClock
from lumimd.coordination.admission import admit
from lumimd.coordination.admission.hourly_cap import USER_SHARE, HourlyCap, Orders, Room
from lumimd.domain.progress import Step
from lumimd.domain.visit import ProcessingStatus
from lumimd.policies.admission import COUNTED_FOR
from lumimd.policies.flags import Flags, OrderCap
from lumimd.policies.lease import LEASE_GRACE, SUBMISSION
from tests.support.examples import examples
from tests.support.permits import minute_passes, provider_of, services_with, upload
from tests.support.services import START, FixedFlags, MemoryServices
from tests.support.shared_documents import Troubled
from tests.support.visits import visit_of

HOUR = timedelta(hours=1)


def capped(per_hour: int | None) -> Flags:
    return Flags(order_cap=OrderCap(per_hour=per_hour))


def services_capped(per_hour: int | None, permits: int = 1_000) -> MemoryServices:
    services = services_with(permits)
    services.flags.stand = capped(per_hour)
    return services


def a_cap(flags: FixedFlags, clock: ManualClock) -> tuple[HourlyCap, Troubled[Orders]]:
    shards = Troubled(Orders)
    return HourlyCap(flags, shards, clock), shards


def test_an_order_counts_for_an_hour_after_the_latest_time_it_can_be_sent() -> None:
    assert HOUR + SUBMISSION.work + LEASE_GRACE <= COUNTED_FOR


@given(st.integers(1, 5_000))
def test_the_shards_of_the_hourly_cap_add_up_to_the_cap_and_to_a_users_share(cap: int) -> None:
    room = Room.under(cap)
    rooms = [room.of_shard(number) for number in range(room.shards)]
    assert sum(each.orders for each in rooms) == cap
    assert sum(each.of_a_user for each in rooms) == max(1, cap // USER_SHARE)


@settings(deadline=None, max_examples=examples(40))
@given(
    st.lists(st.tuples(st.integers(0, 40), st.sampled_from("aaab"), st.booleans()), max_size=60),
    st.integers(1, 12),
    st.integers(1, 12),
)
def test_orders_in_any_hour_stay_within_the_cap_and_each_users_share(
    asks: list[tuple[int, str, bool]], first: int, then: int
) -> None:
    """A changed cap also counts the paid jobs of the hour before the change."""

    async def run() -> None:
        clock, flags = ManualClock(START), FixedFlags(capped(first))
        cap, _ = a_cap(flags, clock)
        ordered: list[tuple[datetime, str]] = []
        for number, (minutes, user, changes) in enumerate(asks):
            clock.advance(timedelta(minutes=minutes))
            if changes:
                flags.stand = capped(then)
            limit = first if flags.stand == capped(first) else then
            if await cap.take(user, f"lease-{number}"):
                ordered.append((clock.now(), user))
                hour = [each for at, each in ordered if at > clock.now() - HOUR]
                assert len(hour) <= limit
                assert Counter(hour)[user] <= max(1, limit // USER_SHARE)

    asyncio.run(run())


async def test_concurrent_orders_of_several_instances_stay_within_the_cap() -> None:
    clock, flags = ManualClock(START), FixedFlags(capped(230))
    shards = Troubled(Orders)
    instances = [HourlyCap(flags, shards, clock) for _ in range(3)]
    asked = [instances[n % 3].take(f"user-{n % 60}", f"lease-{n}") for n in range(400)]
    assert sum(await asyncio.gather(*asked)) == 230
    assert len(await shards.all()) == 3


async def test_repeated_takes_for_one_lease_count_as_one_order() -> None:
    cap, _ = a_cap(FixedFlags(capped(2)), ManualClock(START))
    assert [await cap.take("ann", "lease") for _ in range(3)] == [True] * 3
    assert await cap.take("bob", "other")


async def test_stored_orders_of_the_hourly_cap_contain_no_user_id_and_expire() -> None:
    cap, shards = a_cap(FixedFlags(capped(5)), ManualClock(START))
    await cap.take("ann@example.com", "lease")
    (kept,) = (await shards.all()).values()
    assert "ann" not in f"{kept.to_stored()}"
    assert kept.expires_at == START + COUNTED_FOR


async def test_without_an_hourly_cap_no_orders_are_stored() -> None:
    services = services_capped(None)
    for number in range(30):
        await upload(services, f"ann-{number}")
    assert len(provider_of(services).orders) == 30
    assert await services.gate.hours.all() == {}


async def test_visits_over_the_hourly_cap_wait_in_the_queue_and_are_submitted_later() -> None:
    services = services_capped(20)
    provider = provider_of(services)
    for number in range(30):
        await upload(services, f"user{number % 10}-{number}")
    assert len(provider.orders) == 20
    waiting = await visit_of(services, "user5-25")
    assert waiting.processing_status is ProcessingStatus.PENDING
    assert (waiting.current_step, waiting.turn is not None) == (Step.QUEUED, True)
    assert waiting.stage_tries == 0
    for _ in range(3):
        await minute_passes(services)
    assert len(provider.orders) == 20
    services.clock.advance(COUNTED_FOR)
    await minute_passes(services)
    assert sorted(provider.ordered_for()) == sorted(f"user{n % 10}-{n}" for n in range(30))


async def test_a_user_who_has_used_the_hourly_share_does_not_delay_other_users() -> None:
    services = services_capped(20)
    provider = provider_of(services)
    for number in range(40):
        await upload(services, f"ann-{number:02d}")
    assert Counter(each[:3] for each in provider.ordered_for()) == {"ann": 5}
    for user in ("bob", "cem"):
        await upload(services, f"{user}-1")
    await minute_passes(services)
    assert Counter(each[:3] for each in provider.ordered_for()) == {"ann": 5, "bob": 1, "cem": 1}


async def test_a_waiting_visit_is_not_admitted_while_its_user_has_no_hourly_share_left() -> None:
    """If it were called, it would be leased and measured each minute, and lose its turn."""
    services = services_capped(20)
    for number in range(10):
        await upload(services, f"ann-{number}")
    waiting = await visit_of(services, "ann-9")
    for _ in range(5):
        await minute_passes(services)
    history = await services.store.history("ann-9")
    assert sum(entry.event == "submission_claimed" for entry in history) == 1
    assert (await visit_of(services, "ann-9")).turn == waiting.turn


async def test_a_visit_that_waits_for_the_hourly_cap_holds_no_permit() -> None:
    services = services_capped(4, permits=50)
    for number in range(10):
        await upload(services, f"ann-{number}")
    assert set(await services.gate.holders()) == {"ann-0/1"}


async def test_a_changed_hourly_cap_applies_to_waiting_visits() -> None:
    services = services_capped(4)
    provider = provider_of(services)
    for number in range(10):
        await upload(services, f"user{number}-{number}")
    assert len(provider.orders) == 4
    services.flags.stand = capped(7)
    await minute_passes(services)
    assert len(provider.orders) == 7
    services.flags.stand = capped(None)
    await minute_passes(services)
    assert len(provider.orders) == 10


@pytest.mark.parametrize("per_hour", [0, -1])
def test_an_hourly_cap_of_zero_or_less_raises_value_error(per_hour: int) -> None:
    with pytest.raises(ValueError):
        OrderCap(per_hour=per_hour)


async def test_pages_of_visits_over_a_users_hourly_share_do_not_delay_other_users(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(admit, "AT_ONCE", 10)
    services = services_capped(20)
    provider = provider_of(services)
    for number in range(20):
        await upload(services, f"user{number}-1")
    for number in range(60):
        await upload(services, f"ann-{number:02d}")
    await upload(services, "bob-1")
    assert "bob-1" not in provider.ordered_for()
    raw = services.store.raw
    bob = raw["visits/bob-1"]
    raw["visits/bob-1"] = {**bob, "turn": bob["turn"] + 60}  # behind all visits of ann
    services.clock.advance(COUNTED_FOR)
    await minute_passes(services)
    called = Counter(each[:3] for each in provider.ordered_for())
    assert (called["ann"], called["bob"]) == (5, 1)
