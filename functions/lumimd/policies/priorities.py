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


class Lane(StrEnum):
    """Why somebody waits; the first ones go first."""

    URGENT = "urgent"
    LIVE = "live"
    BATCH = "batch"


STRIDES: Final[Mapping[Lane, int]] = {Lane.URGENT: 1, Lane.LIVE: 4, Lane.BATCH: 16}
"""Of 21 places, while all wait: 16 urgent, 4 live, 1 of a batch."""

LANE_WIDTH: Final = 10**15
"""Turns of one lane lie between two multiples of this, so that ordering by turn orders by lane.
Three lanes fit into the whole numbers that JavaScript knows exactly."""


def first_turn(lane: Lane) -> int:
    """The number from which the turns of the lane are counted."""
    return list(Lane).index(lane) * LANE_WIDTH


def lane_of_turn(turn: int) -> Lane:
    """The lane in which that turn is."""
    return list(Lane)[turn // LANE_WIDTH]


class Line(Document):
    """How far the line has come: one document, written about once a minute.

    `turns` has the turn that was admitted last, by lane: the virtual time of those who wait there.
    `ahead` has how far each lane is ahead, and `now` how far the one was that was served last: a
    lane that was empty begins there, and has saved up nothing.
    """

    turns: dict[Lane, int] = Field(default_factory=dict)
    ahead: dict[Lane, int] = Field(default_factory=dict)
    now: int = 0

    def virtual_time(self, lane: Lane) -> int:
        """The turn of `lane` that was admitted last."""
        return self.turns.get(lane, first_turn(lane))


def next_lane(line: Line, waiting: Iterable[Lane]) -> Lane | None:
    """The lane whose turn it is among those in which somebody waits; None when nobody does."""
    order = list(Lane)
    return min(waiting, key=lambda lane: (_ahead(line, lane), order.index(lane)), default=None)


def served(line: Line, lane: Lane, turn: int) -> Line:
    """The line after the visit with that turn was admitted."""
    now = _ahead(line, lane)
    return Line(
        turns=line.turns | {lane: max(turn, line.virtual_time(lane))},
        ahead=line.ahead | {lane: now + STRIDES[lane]},
        now=now,
    )


def merged(one: Line, other: Line) -> Line:
    """What two instances, which both admitted somebody, together know of the line."""
    return Line(
        turns={lane: max(one.virtual_time(lane), other.virtual_time(lane)) for lane in Lane},
        ahead={lane: max(one.ahead.get(lane, 0), other.ahead.get(lane, 0)) for lane in Lane},
        now=max(one.now, other.now),
    )


def _ahead(line: Line, lane: Lane) -> int:
    return max(line.now, line.ahead.get(lane, 0))
