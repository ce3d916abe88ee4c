"""The priorities of the fair queue, and their shares of the free permits, in pure functions.

Each priority gets a share of the permits while visits of this priority wait. By stride scheduling,
the priority with the smallest lead is served, and its lead grows by its stride. So urgent visits go
first, and no visit starves: of 21 permits in a row, one permit goes to the lowest priority.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final

from pydantic import Field

from lumimd.domain.document import Document


class Priority(StrEnum):
    """The priorities of waiting visits, with the highest priority first."""

    URGENT = "urgent"
    LIVE = "live"
    BATCH = "batch"


STRIDES: Final[Mapping[Priority, int]] = {Priority.URGENT: 1, Priority.LIVE: 4, Priority.BATCH: 16}
"""The strides of the priorities. While visits of all priorities wait, 16 of 21 permits go to urgent
visits, 4 to live visits, and 1 to a visit of a batch."""

PRIORITY_WIDTH: Final = 10**15
"""The range of turns of one priority. Turns lie between two multiples of this number, so that
sorting by turn also sorts by priority. Three priorities fit into the integers that JavaScript
represents exactly."""


def first_turn(priority: Priority) -> int:
    """Return the lowest number in the range of turns of the priority."""
    return list(Priority).index(priority) * PRIORITY_WIDTH


def priority_of_turn(turn: int) -> Priority:
    """Return the priority to which that turn belongs."""
    return list(Priority)[turn // PRIORITY_WIDTH]


class QueueState(Document):
    """The progress of the queue: one document, written about once a minute.

    `turns` holds the last admitted turn of each priority, which is the virtual time of the
    priority. `ahead` holds the lead of each priority, and `now` the lead of the last served
    priority before it was served. An empty priority begins at `now`, without any credit.
    """

    turns: dict[Priority, int] = Field(default_factory=dict)
    ahead: dict[Priority, int] = Field(default_factory=dict)
    now: int = 0

    def virtual_time(self, priority: Priority) -> int:
        """Return the last admitted turn of `priority`."""
        return self.turns.get(priority, first_turn(priority))


def next_priority(queue: QueueState, waiting: Iterable[Priority]) -> Priority | None:
    """Return the priority to serve next among the `waiting` priorities, or None without any."""
    order = list(Priority)
    return min(
        waiting, key=lambda priority: (_ahead(queue, priority), order.index(priority)), default=None
    )


def served(queue: QueueState, priority: Priority, turn: int) -> QueueState:
    """Return the queue state after the visit with that turn was admitted."""
    now = _ahead(queue, priority)
    return QueueState(
        turns=queue.turns | {priority: max(turn, queue.virtual_time(priority))},
        ahead=queue.ahead | {priority: now + STRIDES[priority]},
        now=now,
    )


def merged(one: QueueState, other: QueueState) -> QueueState:
    """Return the merged states of two instances that both admitted visits."""
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


def _ahead(queue: QueueState, priority: Priority) -> int:
    return max(queue.now, queue.ahead.get(priority, 0))
