"""Test that permits in shards never exceed the cap, in any sequence of takes and releases."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from lumimd.policies.permits import Cap, Permit, Room, Shard, left, released, spilled, taken
from lumimd.policies.priorities import Priority
from tests.support.services import START

MINUTE = timedelta(minutes=1)
ROOM = Room(permits=5, for_batches=3)

unhurried = settings(deadline=None)  # other processes may slow this machine down

holders = st.integers(0, 11).map(lambda n: f"v{n}/1")
priorities = st.sampled_from(list(Priority))


class OneShard(RuleBasedStateMachine):
    """Runs any operations on a shard; `jobs` holds the permits that are expected."""

    def __init__(self) -> None:
        super().__init__()
        self.shard, self.now = Shard(), START
        self.jobs: dict[str, Permit] = {}

    @rule(holder=holders, priority=priorities, minutes=st.integers(1, 9))
    def take(self, holder: str, priority: Priority, minutes: int) -> None:
        permit = Permit(
            holder=holder, priority=priority, since=self.now, until=self.now + minutes * MINUTE
        )
        before = left(self.shard, ROOM, self.now)
        after = taken(self.shard, permit, ROOM, self.now)
        mine = self.jobs.get(holder)
        if mine is not None:
            assert after is not None
            longer = max(mine.until, permit.until)
            self.jobs[holder] = mine.model_copy(update={"until": longer})
        elif before[priority]:
            assert after is not None
            self.jobs[holder] = permit
        else:
            assert after is None
        self.shard = after or self.shard

    @rule(holder=holders)
    def release(self, holder: str) -> None:
        self.shard = released(self.shard, holder)
        self.jobs.pop(holder, None)

    @rule(minutes=st.integers(1, 5))
    def time_passes(self, minutes: int) -> None:
        self.now += minutes * MINUTE
        self.jobs = {name: each for name, each in self.jobs.items() if each.until > self.now}

    @invariant()
    def exactly_the_holders_of_jobs_have_permits(self) -> None:
        valid = [permit for permit in self.shard.permits if permit.until > self.now]
        assert {permit.holder: permit for permit in valid} == self.jobs
        assert len(valid) == len(self.jobs) <= ROOM.permits
        assert sum(permit.priority is Priority.BATCH for permit in valid) <= ROOM.for_batches
        assert left(self.shard, ROOM, self.now)[Priority.LIVE] == ROOM.permits - len(valid)


TestOneShard = OneShard.TestCase
TestOneShard.settings = unhurried


@unhurried
@given(st.integers(1, 500), st.integers(1, 500))
def test_the_permits_of_all_shards_add_up_to_the_cap(permits: int, for_batches: int) -> None:
    cap = Cap(permits, min(permits, for_batches))
    rooms = [cap.room(shard) for shard in range(cap.shards)]
    assert sum(room.permits for room in rooms) == cap.permits
    assert sum(room.for_batches for room in rooms) == cap.for_batches
    assert all(room.for_batches <= room.permits <= 10 for room in rooms)


@pytest.mark.parametrize(("permits", "for_batches"), [(200, 150), (5, 4), (3, 3), (1, 1)])
def test_batches_may_use_three_quarters_of_the_permits(permits: int, for_batches: int) -> None:
    assert Cap.of(permits).for_batches == for_batches


@pytest.mark.parametrize(("permits", "for_batches"), [(0, 0), (1, 0), (1, 2)])
def test_a_cap_without_permits_for_each_priority_is_refused(permits: int, for_batches: int) -> None:
    with pytest.raises(ValueError):
        Cap(permits, for_batches)


def test_a_shard_keeps_the_latest_time_until_which_permits_spilled_to_other_shards() -> None:
    shard = spilled(spilled(Shard(), START + 2 * MINUTE), START + MINUTE)
    assert shard.spills(START + MINUTE)
    assert not shard.spills(START + 2 * MINUTE)
