"""The permits of the semaphore for jobs at the provider, divided into shards, in pure functions.

A single document with two hundred holders would be written several times a second, which Firestore
does not sustain. So the permits are divided into shards of about ten permits, and each shard is a
document. No shard exceeds its room, so all shards together never exceed the cap.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pydantic import Field

from lumimd.domain.document import Document
from lumimd.policies.priorities import Priority

SHARD: Final = 10
"""The permits per shard: a job takes half a minute or more, so a shard is written every few
seconds."""


class Permit(Document):
    """The permit of a `holder` (`{visitId}/{attempt}`); it expires at `until`."""

    holder: str
    priority: Priority = Field(alias="lane")
    since: datetime
    until: datetime


class Shard(Document):
    """One shard of the permits.

    Until `spilled_until`, a holder of this home shard may have a permit in another shard, because
    this shard was full.
    """

    permits: tuple[Permit, ...] = Field((), alias="places")
    spilled_until: datetime | None = None

    def of(self, holder: str) -> Permit | None:
        """Return the permit of that holder in this shard, or None."""
        return next((permit for permit in self.permits if permit.holder == holder), None)

    def spills(self, now: datetime) -> bool:
        """Whether a holder without a permit in this shard may have a permit in another shard."""
        return self.spilled_until is not None and self.spilled_until > now


@dataclass(frozen=True)
class Room:
    """The most permits in a shard; at most `for_batches` of these permits are for batches."""

    permits: int
    for_batches: int


@dataclass(frozen=True)
class Cap:
    """The concurrency limit: at most `permits` jobs, at most `for_batches` of them for batches.

    The difference is reserved for users who wait for their recording now.

    Raises:
        ValueError: `for_batches` is less than 1 or more than `permits`.
    """

    permits: int
    for_batches: int
    per_shard: int = SHARD

    def __post_init__(self) -> None:
        if not 1 <= self.for_batches <= self.permits:
            raise ValueError(f"not a cap: {self}")

    @classmethod
    def of(cls, permits: int) -> "Cap":
        """Return a cap that keeps a quarter of the permits free of batches."""
        return cls(permits, max(1, permits - permits // 4))

    @property
    def shards(self) -> int:
        """The number of shards."""
        return -(-self.permits // self.per_shard)

    def room(self, shard: int) -> Room:
        """Return the room of that shard; the rooms of all shards add up to the cap."""
        return Room(self._share(self.permits, shard), self._share(self.for_batches, shard))

    def _share(self, total: int, shard: int) -> int:
        return total // self.shards + (shard < total % self.shards)


def taken(shard: Shard, permit: Permit, room: Room, now: datetime) -> Shard | None:
    """Return the shard with `permit` added or extended, or None if the shard is full."""
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
    """Return the shard without the permit of that holder."""
    if shard.of(holder) is None:
        return shard
    kept = tuple(permit for permit in shard.permits if permit.holder != holder)
    return shard.model_copy(update={"permits": kept})


def spilled(shard: Shard, until: datetime) -> Shard:
    """Return the shard with the note that a holder had to look in another shard."""
    if shard.spilled_until is not None and shard.spilled_until >= until:
        return shard
    return shard.model_copy(update={"spilled_until": until})


def left(shard: Shard, room: Room, now: datetime) -> dict[Priority, int]:
    """Return the free permits by priority; a permit for batches is free for all priorities."""
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
