"""The cap of new paid orders an hour: visits wait, none is refused, and each user has a share."""

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


def test_an_order_counts_for_an_hour_after_its_latest_arrival() -> None:
    assert HOUR + SUBMISSION.work + LEASE_GRACE <= COUNTED_FOR


@given(st.integers(1, 5_000))
def test_the_rooms_of_the_shards_add_up_to_the_cap_and_to_a_users_share(cap: int) -> None:
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
def test_no_hour_exceeds_the_cap_and_no_user_the_share(
    asks: list[tuple[int, str, bool]], first: int, then: int
) -> None:
    """After a change of the cap the new one applies, for the hour before as well."""

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


async def test_the_same_lease_is_the_same_order() -> None:
    cap, _ = a_cap(FixedFlags(capped(2)), ManualClock(START))
    assert [await cap.take("ann", "lease") for _ in range(3)] == [True] * 3
    assert await cap.take("bob", "other")


async def test_the_stored_orders_name_no_user_and_expire() -> None:
    cap, shards = a_cap(FixedFlags(capped(5)), ManualClock(START))
    await cap.take("ann@example.com", "lease")
    (kept,) = (await shards.all()).values()
    assert "ann" not in f"{kept.to_stored()}"
    assert kept.expires_at == START + COUNTED_FOR


async def test_without_a_cap_nothing_is_noted() -> None:
    services = services_capped(None)
    for number in range(30):
        await upload(services, f"ann-{number}")
    assert len(provider_of(services).orders) == 30
    assert await services.gate.hours.all() == {}


async def test_at_the_cap_visits_wait_in_the_queue_and_all_complete_later() -> None:
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


async def test_no_visit_waits_behind_a_user_at_the_share() -> None:
    services = services_capped(20)
    provider = provider_of(services)
    for number in range(40):
        await upload(services, f"ann-{number:02d}")
    assert Counter(each[:3] for each in provider.ordered_for()) == {"ann": 5}
    for user in ("bob", "cem"):
        await upload(services, f"{user}-1")
    await minute_passes(services)
    assert Counter(each[:3] for each in provider.ordered_for()) == {"ann": 5, "bob": 1, "cem": 1}


async def test_a_visit_of_a_user_at_the_share_is_not_called() -> None:
    """It would take a lease and be measured each minute, and lose its turn."""
    services = services_capped(20)
    for number in range(10):
        await upload(services, f"ann-{number}")
    waiting = await visit_of(services, "ann-9")
    for _ in range(5):
        await minute_passes(services)
    history = await services.store.history("ann-9")
    assert sum(entry.event == "submission_claimed" for entry in history) == 1
    assert (await visit_of(services, "ann-9")).turn == waiting.turn


async def test_a_visit_that_waits_at_the_cap_holds_no_permit() -> None:
    services = services_capped(4, permits=50)
    for number in range(10):
        await upload(services, f"ann-{number}")
    assert set(await services.gate.holders()) == {"ann-0/1"}


async def test_a_changed_cap_applies_to_waiting_visits() -> None:
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
def test_a_cap_that_would_stop_all_orders_is_refused(per_hour: int) -> None:
    with pytest.raises(ValueError):
        OrderCap(per_hour=per_hour)


async def test_no_visit_waits_behind_pages_of_a_user_at_the_share(
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
    raw["visits/bob-1"] = {**bob, "turn": bob["turn"] + 60}  # behind all of them
    services.clock.advance(COUNTED_FOR)
    await minute_passes(services)
    called = Counter(each[:3] for each in provider.ordered_for())
    assert (called["ann"], called["bob"]) == (5, 1)
