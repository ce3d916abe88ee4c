"""Test the fair queue: users take turns, urgent visits come first, and no visit starves."""

from collections import Counter
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lumimd.adapters.memory.database import MemoryDatabase
from lumimd.coordination.admission.fair_queue import draw_turn
from lumimd.policies.priorities import (
    PRIORITY_WIDTH,
    STRIDES,
    Priority,
    QueueState,
    first_turn,
    next_priority,
    priority_of_turn,
    served,
)
from lumimd.stores.turn_counters import TurnCounters
from tests.support.examples import examples
from tests.support.services import START

unhurried = settings(deadline=None)  # other processes may slow this machine down


@dataclass
class Waiting:
    """A queue with its waiting visits, and the admitted visits in sequence."""

    line: QueueState = field(default_factory=QueueState)
    turn_counters: TurnCounters = field(default_factory=lambda: TurnCounters(MemoryDatabase()))
    visits: dict[str, int] = field(default_factory=dict)
    admitted: list[str] = field(default_factory=list)

    async def join(self, name: str, priority: Priority = Priority.LIVE) -> None:
        """Add the visit `name`, which is `user` or `user-number`, to the queue."""
        user = name.split("-")[0]
        self.visits[name] = await draw_turn(self.turn_counters, self.line, user, priority, START)

    def admit(self) -> str | None:
        """Admit the next visit; returns the name of the visit, or None if none waits."""
        priority = next_priority(
            self.line, {priority_of_turn(turn) for turn in self.visits.values()}
        )
        if priority is None:
            return None
        name = min(
            (name for name in self.visits if priority_of_turn(self.visits[name]) is priority),
            key=lambda name: (self.visits[name], name),
        )
        self.line = served(self.line, priority, self.visits.pop(name))
        self.admitted.append(name)
        return name


async def test_a_user_with_500_visits_delays_another_user_by_at_most_one_visit() -> None:
    waiting = Waiting()
    for n in range(500):
        await waiting.join(f"ann-{n}")
    for _ in range(100):
        waiting.admit()
    await waiting.join("bob")
    assert "bob" in (waiting.admit(), waiting.admit())


async def test_visits_of_several_users_are_admitted_in_turn() -> None:
    waiting = Waiting()
    for user, number in (("ann", 9), ("bob", 3), ("cem", 5)):
        for n in range(number):
            await waiting.join(f"{user}-{n}")
    while waiting.admit():
        pass
    users = [name.split("-")[0] for name in waiting.admitted]
    assert users[:9] == ["ann", "bob", "cem"] * 3
    assert users[9:] == ["ann", "cem"] * 2 + ["ann"] * 4


@unhurried
@given(st.lists(st.tuples(st.sampled_from("abcde"), st.booleans()), max_size=150))
async def test_admitted_visits_of_two_users_with_backlogs_differ_by_at_most_one(
    steps: list[tuple[str, bool]],
) -> None:
    """The rule holds for any actions of other users and any length of the backlogs."""
    waiting, numbers = Waiting(), Counter[str]()
    for user in ("ann", "bob"):
        for n in range(len(steps) + 5):
            await waiting.join(f"{user}-{n:04d}")
    for user, joins in steps:
        if joins:
            numbers[user] += 1
            await waiting.join(f"{user}-{numbers[user]:04d}")
        else:
            waiting.admit()
        admitted = Counter(name.split("-")[0] for name in waiting.admitted)
        assert abs(admitted["ann"] - admitted["bob"]) <= 1


@settings(deadline=None, max_examples=examples(40, nightly=1_000))
@given(st.integers(0, 40), st.integers(1, 30), st.integers(1, 60))
@pytest.mark.no_cover  # coverage tracing at least doubles the duration of this test
async def test_the_first_visit_of_a_new_user_is_admitted_within_one_round(
    admitted: int, users: int, backlog: int
) -> None:
    waiting = Waiting()
    for n in range(backlog):
        for user in range(users):
            await waiting.join(f"u{user}-{n:04d}")
    for _ in range(admitted):
        waiting.admit()
    await waiting.join("new")
    for _ in range(users + 1):
        waiting.admit()
    assert "new" in waiting.admitted


@unhurried
@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(list(Priority))), max_size=60))
async def test_every_waiting_visit_is_admitted_exactly_once(
    joins: list[tuple[str, Priority]],
) -> None:
    waiting = Waiting()
    for n, (user, priority) in enumerate(joins):
        await waiting.join(f"{user}-{n}", priority)
    for _ in joins:
        assert waiting.admit() is not None
    assert waiting.admit() is None
    assert sorted(waiting.admitted) == sorted(f"{u}-{n}" for n, (u, _) in enumerate(joins))


async def test_an_urgent_visit_is_admitted_before_visits_of_500_other_users() -> None:
    waiting = Waiting()
    for n in range(500):
        await waiting.join(f"user{n:03d}", Priority.LIVE)
    for _ in range(7):
        waiting.admit()
    await waiting.join("emergency", Priority.URGENT)
    assert waiting.admit() == "emergency"


@pytest.mark.parametrize(
    "others", [[Priority.LIVE], [Priority.URGENT], [Priority.URGENT, Priority.LIVE]]
)
async def test_a_batch_visit_is_admitted_under_a_stream_of_urgent_and_live_visits(
    others: list[Priority],
) -> None:
    waiting = Waiting()
    await waiting.join("archive", Priority.BATCH)
    permits = sum(STRIDES[Priority.BATCH] // STRIDES[priority] for priority in Priority)
    assert permits == 21
    for n in range(permits):
        for priority in others:
            await waiting.join(f"{priority}{n:03d}", priority)
        waiting.admit()
    assert "archive" in waiting.admitted


async def test_a_priority_without_visits_does_not_accumulate_turns() -> None:
    """A burst of urgent visits after a week without any does not stop the other visits."""
    waiting = Waiting()
    for n in range(200):
        await waiting.join(f"ann-{n:04d}", Priority.BATCH)
    for _ in range(100):
        waiting.admit()
    for n in range(200):
        await waiting.join(f"bob-{n:04d}", Priority.URGENT)
    for _ in range(35):
        waiting.admit()
    assert Counter(name.split("-")[0] for name in waiting.admitted[100:]) == {"bob": 33, "ann": 2}


def test_turns_of_priorities_do_not_overlap_and_are_exact_in_javascript() -> None:
    assert [priority_of_turn(first_turn(priority)) for priority in Priority] == list(Priority)
    assert [
        priority_of_turn(first_turn(priority) + PRIORITY_WIDTH - 1) for priority in Priority
    ] == list(Priority)
    assert first_turn(list(Priority)[-1]) + PRIORITY_WIDTH < 2**53


def test_the_virtual_time_of_the_queue_never_decreases() -> None:
    line = served(
        served(QueueState(), Priority.LIVE, first_turn(Priority.LIVE) + 9), Priority.LIVE, 4
    )
    assert line.virtual_time(Priority.LIVE) == first_turn(Priority.LIVE) + 9
