"""Places in shards, by property: never more than the cap, whoever takes and leaves when."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from lumimd.policies.permits import Cap, Place, Room, Shard, left, released, spilled, taken
from lumimd.policies.priorities import Lane
from tests.support.parts import START

MINUTE = timedelta(minutes=1)
ROOM = Room(places=5, for_batches=3)

unhurried = settings(deadline=None)  # others work on this machine as well

holders = st.integers(0, 11).map(lambda n: f"v{n}/1")
lanes = st.sampled_from(list(Lane))


class OneShard(RuleBasedStateMachine):
    """Everything that may happen to a shard; `jobs` is who has a job at the provider."""

    def __init__(self) -> None:
        super().__init__()
        self.shard, self.now = Shard(), START
        self.jobs: dict[str, Place] = {}

    @rule(holder=holders, lane=lanes, minutes=st.integers(1, 9))
    def take(self, holder: str, lane: Lane, minutes: int) -> None:
        place = Place(holder=holder, lane=lane, since=self.now, until=self.now + minutes * MINUTE)
        before = left(self.shard, ROOM, self.now)
        after = taken(self.shard, place, ROOM, self.now)
        mine = self.jobs.get(holder)
        if mine is not None:
            assert after is not None
            longer = max(mine.until, place.until)
            self.jobs[holder] = mine.model_copy(update={"until": longer})
        elif before[lane]:
            assert after is not None
            self.jobs[holder] = place
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
    def who_has_a_job_has_a_place_and_nobody_else(self) -> None:
        valid = [place for place in self.shard.places if place.until > self.now]
        assert {place.holder: place for place in valid} == self.jobs
        assert len(valid) == len(self.jobs) <= ROOM.places
        assert sum(place.lane is Lane.BATCH for place in valid) <= ROOM.for_batches
        assert left(self.shard, ROOM, self.now)[Lane.LIVE] == ROOM.places - len(valid)


TestOneShard = OneShard.TestCase
TestOneShard.settings = unhurried


@unhurried
@given(st.integers(1, 500), st.integers(1, 500))
def test_the_rooms_of_the_shards_add_up_to_the_cap(places: int, for_batches: int) -> None:
    cap = Cap(places, min(places, for_batches))
    rooms = [cap.room(shard) for shard in range(cap.shards)]
    assert sum(room.places for room in rooms) == cap.places
    assert sum(room.for_batches for room in rooms) == cap.for_batches
    assert all(room.for_batches <= room.places <= 10 for room in rooms)


@pytest.mark.parametrize(("places", "for_batches"), [(200, 150), (5, 4), (3, 3), (1, 1)])
def test_a_quarter_is_kept_free_of_batches(places: int, for_batches: int) -> None:
    assert Cap.of(places).for_batches == for_batches


@pytest.mark.parametrize(("places", "for_batches"), [(0, 0), (1, 0), (1, 2)])
def test_a_cap_that_lets_nobody_through_is_none(places: int, for_batches: int) -> None:
    with pytest.raises(ValueError):
        Cap(places, for_batches)


def test_a_shard_remembers_until_when_somebody_of_its_own_may_be_elsewhere() -> None:
    shard = spilled(spilled(Shard(), START + 2 * MINUTE), START + MINUTE)
    assert shard.spills(START + MINUTE)
    assert not shard.spills(START + 2 * MINUTE)
