"""The visits that wait for a place, found by their turns."""

from collections.abc import Sequence
from typing import Protocol

from lumimd.domain.commit import Stored


class QueuedVisits(Protocol):
    """Questions about the visits that have a turn. May raise `Transient`."""

    async def waiting(self, first_turn: int, before: int, limit: int) -> Sequence[Stored]:
        """At most `limit` visits whose turn is in `first_turn <= turn < before`.

        They are in order of their turns, and of their ids where turns are the same.
        """
        ...

    async def before(self, first_turn: int, turn: int, visit_id: str) -> int:
        """How many visits come before this one: with a turn in `first_turn <= turn`, as above."""
        ...
