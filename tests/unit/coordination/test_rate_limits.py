"""Test rate limits per user and for all users together, and failures of their store."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count

import pytest

from lumimd.adapters.memory import ManualClock
from lumimd.coordination.rate_limits import Limits, TooMany
from lumimd.coordination.shared_document import Contended
from lumimd.domain.codes import ErrorCode
from lumimd.domain.commit import Conflict
from lumimd.domain.errors import TimedOut, Transient
from lumimd.policies.pseudonyms import Pseudonyms
from lumimd.policies.tiers import Limited, OfAllUsers, Tier
from lumimd.policies.time_budgets import RATE_LIMIT_STORE_S
from lumimd.policies.token_bucket import Bucket, Policy
from tests.support.services import START
from tests.support.shared_documents import Troubled
from tests.unit.policies.test_retry import jumping_loop

MINUTE = timedelta(minutes=1)
DOWN = Transient(ErrorCode.INTERNAL_ERROR)

TIERS = {
    Tier.FREE: Policy(tokens=10, per=MINUTE, burst=10),
    Tier.PAID: Policy(tokens=60, per=MINUTE, burst=30),
}
POLICIES = dict.fromkeys(Limited, TIERS)


@dataclass
class Buckets:
    """Makes instances of the limits that share one store of buckets."""

    clock: ManualClock = field(default_factory=lambda: ManualClock(START))
    store: Troubled[Bucket] = field(default_factory=lambda: Troubled(Bucket))
    of_all: dict[OfAllUsers, Policy] = field(default_factory=dict)
    _ids: count = field(default_factory=count)

    def instance(self) -> Limits:
        return Limits(
            self.store, self.clock, lambda: f"id-{next(self._ids)}", POLICIES, self.of_all
        )


@pytest.fixture
def buckets() -> Buckets:
    return Buckets()


async def passes(
    limits: Limits,
    user: str = "ann",
    tier: Tier = Tier.FREE,
    what: Limited = Limited.EXPENSIVE,
    of_all: OfAllUsers | None = OfAllUsers.ON_DEMAND,
) -> bool:
    try:
        await limits.allow(user, tier, what, of_all)
    except TooMany:
        return False
    return True


async def test_concurrent_calls_to_several_instances_stay_within_the_rate_limit(
    buckets: Buckets,
) -> None:
    instances = [buckets.instance() for _ in range(4)]
    outcomes = await asyncio.gather(*(passes(instances[n % 4]) for n in range(100)))
    assert sum(outcomes) == 10
    assert buckets.store.writes == 10


async def test_a_call_over_the_rate_limit_gets_a_retry_after(buckets: Buckets) -> None:
    limits = buckets.instance()
    for _ in range(10):
        assert await passes(limits)
    with pytest.raises(TooMany) as refusal:
        await limits.allow("ann", Tier.FREE, Limited.EXPENSIVE)
    assert (refusal.value.what, refusal.value.retry_after_s) == (Limited.EXPENSIVE, 6.0)
    buckets.clock.advance(timedelta(seconds=6))
    assert [await passes(limits) for _ in range(2)] == [True, False]


async def test_each_user_and_each_kind_of_call_has_a_separate_bucket(buckets: Buckets) -> None:
    limits = buckets.instance()
    while await passes(limits):
        pass
    assert await passes(limits, "bob")
    assert await passes(limits, what=Limited.WRITE)


async def test_a_change_of_tier_applies_from_the_next_call(buckets: Buckets) -> None:
    limits = buckets.instance()
    while await passes(limits):
        pass
    assert await passes(limits, tier=Tier.PAID)


async def test_a_call_over_the_limit_of_all_users_takes_no_token_from_the_user(
    buckets: Buckets,
) -> None:
    buckets.of_all[OfAllUsers.ON_DEMAND] = Policy(tokens=60, per=MINUTE, burst=5)
    limits = buckets.instance()
    users = [f"user-{n}" for n in range(8)]
    assert [await passes(limits, user) for user in users] == [True] * 5 + [False] * 3
    used = [(await limits.usage(user, Tier.FREE))[Limited.EXPENSIVE].used for user in users]
    assert used == [1] * 5 + [0] * 3
    buckets.clock.advance(timedelta(seconds=1))
    assert [await passes(limits, user) for user in users[5:]] == [True, False, False]


async def test_calls_over_a_users_limit_take_no_tokens_from_the_limit_of_all_users(
    buckets: Buckets,
) -> None:
    buckets.of_all[OfAllUsers.ON_DEMAND] = Policy(tokens=60, per=MINUTE, burst=12)
    limits = buckets.instance()
    for _ in range(50):
        await passes(limits, "noisy")
    assert [await passes(limits, f"user-{n}") for n in range(3)] == [True, True, False]


async def test_no_user_id_leads_to_the_bucket_of_all_users(buckets: Buckets) -> None:
    buckets.of_all[OfAllUsers.ON_DEMAND] = Policy(tokens=60, per=MINUTE, burst=12)
    limits = buckets.instance()
    for user in ("", "all", "expensive", "-"):
        await limits.allow(user, Tier.FREE, Limited.EXPENSIVE, OfAllUsers.ON_DEMAND)
    kept = await buckets.store.all()
    assert len(kept) == 5
    of_one = {bucket.missing for key, bucket in kept.items() if key != "on_demand"}
    assert {kept["on_demand"].missing} == {4 * each for each in of_one}


async def test_a_call_takes_one_token_although_the_response_of_the_store_is_lost(
    buckets: Buckets,
) -> None:
    buckets.store.lost_answers = [Conflict()]  # the save was written, but its repetition conflicts
    limits = buckets.instance()
    assert [await passes(limits) for _ in range(11)] == [True] * 10 + [False]


@pytest.mark.parametrize("what", list(Limited))
async def test_rate_limited_calls_raise_transient_while_the_store_is_down(
    buckets: Buckets, what: Limited
) -> None:
    buckets.store.trouble = DOWN
    with pytest.raises(Transient):
        await buckets.instance().allow("ann", Tier.FREE, what)


def test_a_call_times_out_if_the_store_of_buckets_does_not_respond() -> None:
    async def never() -> None:
        await asyncio.Event().wait()

    async def scene() -> float:
        buckets = Buckets()
        buckets.store.kept.get = lambda key: never()  # type: ignore[assignment,method-assign]
        with pytest.raises(TimedOut):
            await buckets.instance().allow("ann", Tier.FREE, Limited.WRITE)
        return asyncio.get_running_loop().time()

    loop = jumping_loop()
    assert loop.run_until_complete(scene()) == RATE_LIMIT_STORE_S
    loop.close()


async def test_a_call_is_refused_after_repeated_conflicts_on_its_bucket(
    buckets: Buckets, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def conflict_always(*args: object) -> object:
        raise Conflict

    monkeypatch.setattr(buckets.store.kept, "save", conflict_always)
    monkeypatch.setattr("asyncio.sleep", no_wait)
    with pytest.raises(TooMany) as refusal:
        await buckets.instance().allow("ann", Tier.FREE, Limited.EXPENSIVE)
    assert refusal.value.retry_after_s == 1.0
    assert isinstance(refusal.value.__cause__, Contended)
    assert buckets.store.reads == 12


async def no_wait(seconds: float) -> None:
    """Replace `asyncio.sleep` by a stub that does not wait."""


async def test_the_usage_of_a_new_user_is_zero(buckets: Buckets) -> None:
    shown = await buckets.instance().usage("ann", Tier.PAID)
    assert {(each.limit, each.used, each.left) for each in shown.values()} == {(30, 0, 30)}
    assert set(shown) == {Limited.EXPENSIVE, Limited.VISITS}


async def test_usage_shows_the_used_and_left_calls_and_the_time_of_reset(buckets: Buckets) -> None:
    limits = buckets.instance()
    for _ in range(4):
        await passes(limits)
    shown = (await buckets.instance().usage("ann", Tier.FREE))[Limited.EXPENSIVE]
    assert (shown.used, shown.left) == (4, 6)
    assert shown.resets_at == START + timedelta(seconds=24)


async def test_a_limit_of_all_users_counts_only_calls_that_request_the_limit(
    buckets: Buckets,
) -> None:
    buckets.of_all[OfAllUsers.ON_DEMAND] = Policy(tokens=60, per=MINUTE, burst=2)
    limits = buckets.instance()
    assert all([await passes(limits, f"user-{n}", of_all=None) for n in range(30)])
    assert [await passes(limits, f"user-{n}") for n in range(3)] == [True, True, False]
    assert await passes(limits, "ann", of_all=None)


async def test_a_stored_bucket_contains_no_user_id_and_expires_when_it_is_full(
    buckets: Buckets,
) -> None:
    limits = buckets.instance()
    for what in Limited:
        await limits.allow("ann@example.com", Tier.FREE, what)
    kept = await buckets.store.all()
    assert len(kept) == len(Limited)
    assert not any("ann" in f"{key} {bucket.to_stored()}" for key, bucket in kept.items())
    assert {bucket.expires_at for bucket in kept.values()} == {START + timedelta(seconds=6)}


def test_the_pseudonym_of_a_user_depends_on_the_secret() -> None:
    of_ann = [Pseudonyms(secret).of("ann") for secret in ("one secret", "another", "")]
    assert len(set(of_ann)) == 3
    assert Pseudonyms("one secret").of("ann") == of_ann[0] != Pseudonyms("one secret").of("bob")
