"""How many jobs may be at the provider, and one shard of who has a place there: pure.

A single document with two hundred holders would be written several times a second, which Firestore
does not take for long. So the places are split into shards of about ten; each is changed by itself,
and since no shard holds more than its room, all of them together never hold more than the cap.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from lumimd.domain.document import Document
from lumimd.policies.priorities import Lane

SHARD: Final = 10
"""Places a shard: a job takes half a minute or more, so a shard is written every few seconds."""


class Place(Document):
    """Somebody's place, `until` then at the latest. `holder` is `{visitId}/{attempt}`."""

    holder: str
    lane: Lane
    since: datetime
    until: datetime


class Shard(Document):
    """Some of the places.

    Until `spilled_until` somebody who looks here first may have a place in another shard, since
    there was no room in this one.
    """

    places: tuple[Place, ...] = ()
    spilled_until: datetime | None = None

    def of(self, holder: str) -> Place | None:
        """The place of that holder here, or None."""
        return next((place for place in self.places if place.holder == holder), None)

    def spills(self, now: datetime) -> bool:
        """Whether a holder that is not here may be somewhere else."""
        return self.spilled_until is not None and self.spilled_until > now


@dataclass(frozen=True)
class Room:
    """How many places there are; at most `for_batches` of `places` are for batches."""

    places: int
    for_batches: int


@dataclass(frozen=True)
class Cap:
    """At most so many jobs at once, and at most `for_batches` of them out of batches.

    The difference is kept free for people who wait for their recording now.

    Raises:
        ValueError: there is no place at all, or more for batches than there are.
    """

    places: int
    for_batches: int
    per_shard: int = SHARD

    def __post_init__(self) -> None:
        if not 1 <= self.for_batches <= self.places:
            raise ValueError(f"not a cap: {self}")

    @classmethod
    def of(cls, places: int) -> "Cap":
        """A quarter of the places is kept free of batches."""
        return cls(places, max(1, places - places // 4))

    @property
    def shards(self) -> int:
        """How many shards there are."""
        return -(-self.places // self.per_shard)

    def room(self, shard: int) -> Room:
        """What that shard has room for; the shards' rooms add up to the cap."""
        return Room(self._share(self.places, shard), self._share(self.for_batches, shard))

    def _share(self, total: int, shard: int) -> int:
        return total // self.shards + (shard < total % self.shards)


def taken(shard: Shard, place: Place, room: Room, now: datetime) -> Shard | None:
    """The shard in which `place` is taken, or held for longer; None when there is no room."""
    present = _valid(shard, now)
    mine = present.of(place.holder)
    if mine is not None:
        if mine.until >= place.until:
            return shard
        longer = mine.model_copy(update={"until": place.until})
        places = tuple(longer if each is mine else each for each in present.places)
        return present.model_copy(update={"places": places})
    if left(present, room, now).get(place.lane, 0) == 0:
        return None
    return present.model_copy(update={"places": (*present.places, place)})


def released(shard: Shard, holder: str) -> Shard:
    """The shard without that holder."""
    if shard.of(holder) is None:
        return shard
    kept = tuple(place for place in shard.places if place.holder != holder)
    return shard.model_copy(update={"places": kept})


def spilled(shard: Shard, until: datetime) -> Shard:
    """The shard that remembers that somebody had to look elsewhere."""
    if shard.spilled_until is not None and shard.spilled_until >= until:
        return shard
    return shard.model_copy(update={"spilled_until": until})


def left(shard: Shard, room: Room, now: datetime) -> dict[Lane, int]:
    """The free places for each lane; what is free for a batch is free for the others as well."""
    places = _valid(shard, now).places
    free = max(0, room.places - len(places))
    batches = sum(place.lane is Lane.BATCH for place in places)
    for_batches = min(free, max(0, room.for_batches - batches))
    return {lane: for_batches if lane is Lane.BATCH else free for lane in Lane}


def _valid(shard: Shard, now: datetime) -> Shard:
    if all(place.until > now for place in shard.places):
        return shard
    return shard.model_copy(
        update={"places": tuple(place for place in shard.places if place.until > now)}
    )
