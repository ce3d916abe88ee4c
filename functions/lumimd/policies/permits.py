"""How many jobs may be at the provider, and one shard of who has a place there: pure.

A single document with two hundred holders would be written several times a second, which Firestore
does not take for long. So the places are split into shards of about ten; each is changed by itself,
and since no shard holds more than its room, all of them together never hold more than the cap.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pydantic import Field

from lumimd.domain.document import Document
from lumimd.policies.priorities import Priority

SHARD: Final = 10
"""Places a shard: a job takes half a minute or more, so a shard is written every few seconds."""


class Permit(Document):
    """Somebody's place, `until` then at the latest. `holder` is `{visitId}/{attempt}`."""

    holder: str
    priority: Priority = Field(alias="lane")
    since: datetime
    until: datetime


class Shard(Document):
    """Some of the places.

    Until `spilled_until` somebody who looks here first may have a place in another shard, since
    there was no room in this one.
    """

    permits: tuple[Permit, ...] = Field((), alias="places")
    spilled_until: datetime | None = None

    def of(self, holder: str) -> Permit | None:
        """The place of that holder here, or None."""
        return next((permit for permit in self.permits if permit.holder == holder), None)

    def spills(self, now: datetime) -> bool:
        """Whether a holder that is not here may be somewhere else."""
        return self.spilled_until is not None and self.spilled_until > now


@dataclass(frozen=True)
class Room:
    """How many places there are; at most `for_batches` of `places` are for batches."""

    permits: int
    for_batches: int


@dataclass(frozen=True)
class Cap:
    """At most so many jobs at once, and at most `for_batches` of them out of batches.

    The difference is kept free for people who wait for their recording now.

    Raises:
        ValueError: there is no place at all, or more for batches than there are.
    """

    permits: int
    for_batches: int
    per_shard: int = SHARD

    def __post_init__(self) -> None:
        if not 1 <= self.for_batches <= self.permits:
            raise ValueError(f"not a cap: {self}")

    @classmethod
    def of(cls, permits: int) -> "Cap":
        """A quarter of the places is kept free of batches."""
        return cls(permits, max(1, permits - permits // 4))

    @property
    def shards(self) -> int:
        """How many shards there are."""
        return -(-self.permits // self.per_shard)

    def room(self, shard: int) -> Room:
        """What that shard has room for; the shards' rooms add up to the cap."""
        return Room(self._share(self.permits, shard), self._share(self.for_batches, shard))

    def _share(self, total: int, shard: int) -> int:
        return total // self.shards + (shard < total % self.shards)


def taken(shard: Shard, permit: Permit, room: Room, now: datetime) -> Shard | None:
    """The shard in which `place` is taken, or held for longer; None when there is no room."""
    present = _valid(shard, now)
    mine = present.of(permit.holder)
    if mine is not None:
        if mine.until >= permit.until:
            return shard
        longer = mine.model_copy(update={"until": permit.until})
        permits = tuple(longer if each is mine else each for each in present.permits)
        return present.model_copy(update={"permits": permits})
    if left(present, room, now).get(permit.priority, 0) == 0:
        return None
    return present.model_copy(update={"permits": (*present.permits, permit)})


def released(shard: Shard, holder: str) -> Shard:
    """The shard without that holder."""
    if shard.of(holder) is None:
        return shard
    kept = tuple(permit for permit in shard.permits if permit.holder != holder)
    return shard.model_copy(update={"permits": kept})


def spilled(shard: Shard, until: datetime) -> Shard:
    """The shard that remembers that somebody had to look elsewhere."""
    if shard.spilled_until is not None and shard.spilled_until >= until:
        return shard
    return shard.model_copy(update={"spilled_until": until})


def left(shard: Shard, room: Room, now: datetime) -> dict[Priority, int]:
    """The free places for each lane; what is free for a batch is free for the others as well."""
    permits = _valid(shard, now).permits
    free = max(0, room.permits - len(permits))
    batches = sum(permit.priority is Priority.BATCH for permit in permits)
    for_batches = min(free, max(0, room.for_batches - batches))
    return {priority: for_batches if priority is Priority.BATCH else free for priority in Priority}


def _valid(shard: Shard, now: datetime) -> Shard:
    if all(permit.until > now for permit in shard.permits):
        return shard
    return shard.model_copy(
        update={"permits": tuple(permit for permit in shard.permits if permit.until > now)}
    )
