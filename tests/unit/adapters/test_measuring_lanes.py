"""Test the order in which recordings are measured: costly recordings delay no others."""

from hypothesis import given
from hypothesis import strategies as st

from lumimd.adapters.measuring.lanes import Job, Lanes
from lumimd.adapters.measuring.limits import SLOW_AT_ONCE, WORKERS


def job(user: str, *, is_slow: bool = False) -> Job:
    return Job(user, 1, lambda offset, length: b"", is_slow=is_slow)


def test_recordings_are_measured_round_robin_between_users() -> None:
    lanes = Lanes()
    for _ in range(20):
        lanes.add(job("mallory"))
    lanes.add(job("ann"))
    lanes.add(job("bob"))
    order = [lanes.take() for _ in range(5)]
    assert [each.user for each in order if each] == ["mallory", "ann", "bob", "mallory", "mallory"]


def test_a_quick_first_look_comes_before_slow_measurements() -> None:
    lanes = Lanes()
    for n in range(20):
        lanes.add(job(f"mallory-{n}", is_slow=True))
    lanes.add(job("ann"))
    first = lanes.take()
    assert first
    assert first.user == "ann"


def test_slow_recordings_never_occupy_all_workers() -> None:
    lanes = Lanes()
    slow = [job(f"mallory-{n}", is_slow=True) for n in range(20)]
    for each in slow:
        lanes.add(each)
    at_work = [lanes.take() for _ in range(WORKERS)]
    assert sum(each is not None for each in at_work) == SLOW_AT_ONCE < WORKERS
    ended = at_work[0]
    assert ended
    lanes.ended(ended)
    assert lanes.take() is not None
    assert lanes.take() is None


STEP = st.sampled_from(["ann", "bob", "cem"]) | st.sampled_from(["take", "end"])


@given(st.lists(st.tuples(STEP, st.booleans()), max_size=80))
def test_each_waiting_recording_is_given_to_a_worker_exactly_once(
    steps: list[tuple[str, bool]],
) -> None:
    lanes, added, taken, at_work = Lanes(), [], [], []
    for step, is_slow in steps:
        if step == "take":
            if (found := lanes.take()) is not None:
                taken.append(found)
                at_work.append(found)
        elif step == "end":
            if at_work:
                lanes.ended(at_work.pop())
        else:
            added.append(job(step, is_slow=is_slow))
            lanes.add(added[-1])
        assert sum(each.is_slow for each in at_work) <= SLOW_AT_ONCE
    for each in at_work:
        lanes.ended(each)
    while (found := lanes.take()) is not None:
        taken.append(found)
        lanes.ended(found)
    assert sorted(map(id, taken)) == sorted(map(id, added))
