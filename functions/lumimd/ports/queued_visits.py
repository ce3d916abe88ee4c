"""The queued visits, found by their turns in the fair queue."""

from collections.abc import Sequence
from typing import Protocol

from lumimd.domain.commit import Stored


class QueuedVisits(Protocol):
    """Queries over the visits that have a turn. May raise `Transient`."""

    async def waiting(self, first_turn: int, before: int, limit: int) -> Sequence[Stored]:
        """At most `limit` visits with a turn in `first_turn <= turn < before`.

        They are ordered by turn, and by id where turns are equal.
        """
        ...

    async def before(self, first_turn: int, turn: int, visit_id: str) -> int:
        """The number of visits ahead of this one, in the same order, from `first_turn` on."""
        ...
