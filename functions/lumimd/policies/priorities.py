"""Lanes of the line, and how free places are shared between them: pure.

Each lane gets a share of the places as long as somebody waits in it (stride scheduling: the lane
that is least ahead is served, and moves ahead by its stride). So what is urgent goes first, and yet
nothing is ever passed over for good: of 21 places in a row, one goes to the slowest lane.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final

from pydantic import Field

from lumimd.domain.document import Document


class Priority(StrEnum):
    """Why somebody waits; the first ones go first."""

    URGENT = "urgent"
    LIVE = "live"
    BATCH = "batch"


STRIDES: Final[Mapping[Priority, int]] = {Priority.URGENT: 1, Priority.LIVE: 4, Priority.BATCH: 16}
"""Of 21 places, while all wait: 16 urgent, 4 live, 1 of a batch."""

PRIORITY_WIDTH: Final = 10**15
"""Turns of one lane lie between two multiples of this, so that ordering by turn orders by lane.
Three lanes fit into the whole numbers that JavaScript knows exactly."""


def first_turn(priority: Priority) -> int:
    """The number from which the turns of the lane are counted."""
    return list(Priority).index(priority) * PRIORITY_WIDTH


def priority_of_turn(turn: int) -> Priority:
    """The lane in which that turn is."""
    return list(Priority)[turn // PRIORITY_WIDTH]


class QueueState(Document):
    """How far the line has come: one document, written about once a minute.

    `turns` has the turn that was admitted last, by lane: the virtual time of those who wait there.
    `ahead` has how far each lane is ahead, and `now` how far the one was that was served last: a
    lane that was empty begins there, and has saved up nothing.
    """

    turns: dict[Priority, int] = Field(default_factory=dict)
    ahead: dict[Priority, int] = Field(default_factory=dict)
    now: int = 0

    def virtual_time(self, priority: Priority) -> int:
        """The turn of `lane` that was admitted last."""
        return self.turns.get(priority, first_turn(priority))


def next_priority(line: QueueState, waiting: Iterable[Priority]) -> Priority | None:
    """The lane whose turn it is among those in which somebody waits; None when nobody does."""
    order = list(Priority)
    return min(
        waiting, key=lambda priority: (_ahead(line, priority), order.index(priority)), default=None
    )


def served(line: QueueState, priority: Priority, turn: int) -> QueueState:
    """The line after the visit with that turn was admitted."""
    now = _ahead(line, priority)
    return QueueState(
        turns=line.turns | {priority: max(turn, line.virtual_time(priority))},
        ahead=line.ahead | {priority: now + STRIDES[priority]},
        now=now,
    )


def merged(one: QueueState, other: QueueState) -> QueueState:
    """What two instances, which both admitted somebody, together know of the line."""
    return QueueState(
        turns={
            priority: max(one.virtual_time(priority), other.virtual_time(priority))
            for priority in Priority
        },
        ahead={
            priority: max(one.ahead.get(priority, 0), other.ahead.get(priority, 0))
            for priority in Priority
        },
        now=max(one.now, other.now),
    )


def _ahead(line: QueueState, priority: Priority) -> int:
    return max(line.now, line.ahead.get(priority, 0))
