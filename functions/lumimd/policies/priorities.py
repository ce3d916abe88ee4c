"""Priorities of the fair queue, and their shares of the free permits: pure.

Each priority gets a share of the permits while visits wait in it (stride scheduling: the priority
that is least ahead is served, and moves ahead by its stride). So urgent visits go first, and no
visit starves: of 21 permits in a row, one goes to the slowest priority.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final

from pydantic import Field

from lumimd.domain.document import Document


class Priority(StrEnum):
    """The priorities, the highest first."""

    URGENT = "urgent"
    LIVE = "live"
    BATCH = "batch"


STRIDES: Final[Mapping[Priority, int]] = {Priority.URGENT: 1, Priority.LIVE: 4, Priority.BATCH: 16}
"""Of 21 permits, while visits of all priorities wait: 16 urgent, 4 live, 1 of a batch."""

PRIORITY_WIDTH: Final = 10**15
"""Turns of one priority lie between two multiples of this, so that ordering by turn orders by
priority. Three priorities fit into the integers that JavaScript represents exactly."""


def first_turn(priority: Priority) -> int:
    """The number from which the turns of the priority count."""
    return list(Priority).index(priority) * PRIORITY_WIDTH


def priority_of_turn(turn: int) -> Priority:
    """The priority of that turn."""
    return list(Priority)[turn // PRIORITY_WIDTH]


class QueueState(Document):
    """The progress of the queue: one document, written about once a minute.

    `turns` has the last admitted turn by priority, which is its virtual time. `ahead` has the lead
    of each priority, and `now` the lead of the last served priority before it was served: an empty
    priority begins there, without any credit.
    """

    turns: dict[Priority, int] = Field(default_factory=dict)
    ahead: dict[Priority, int] = Field(default_factory=dict)
    now: int = 0

    def virtual_time(self, priority: Priority) -> int:
        """The last admitted turn of `priority`."""
        return self.turns.get(priority, first_turn(priority))


def next_priority(queue: QueueState, waiting: Iterable[Priority]) -> Priority | None:
    """The priority to serve next among those with `waiting` visits; None if there are none."""
    order = list(Priority)
    return min(
        waiting, key=lambda priority: (_ahead(queue, priority), order.index(priority)), default=None
    )


def served(queue: QueueState, priority: Priority, turn: int) -> QueueState:
    """The queue after the visit with that turn was admitted."""
    now = _ahead(queue, priority)
    return QueueState(
        turns=queue.turns | {priority: max(turn, queue.virtual_time(priority))},
        ahead=queue.ahead | {priority: now + STRIDES[priority]},
        now=now,
    )


def merged(one: QueueState, other: QueueState) -> QueueState:
    """The merged states of two instances that both admitted visits."""
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
