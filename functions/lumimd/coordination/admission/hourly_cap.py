"""The hourly cap on new orders (paid jobs) of the whole deployment: the flag `Flags.order_cap`.

At the cap visits wait in the fair queue; none is refused. No user gets more than a quarter of the
cap. Each order is noted before it is sent, in shards like the shards of the permits. No shard takes
more than its room, so all shards together never exceed the cap. Without a cap nothing is read or
noted.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zlib import crc32

from lumimd.coordination.shared_document import Shared
from lumimd.domain.document import Document
from lumimd.policies.admission import COUNTED_FOR
from lumimd.policies.pseudonyms import Pseudonyms
from lumimd.ports.clock import Clock
from lumimd.ports.flags import FlagReader
from lumimd.stores.shared_documents import SharedDocuments

SHARD: Final = 100
"""The orders per shard, so that a shard is written twice a minute and its document stays small."""

USER_SHARE: Final = 4
"""The divisor for one user's share: a user gets at most a quarter of the cap, and at least one
order."""


class Noted(Document):
    """One noted order (a paid job): its lease, the pseudonym of its user, and its time."""

    lease: str
    user: str
    at: datetime


class Orders(Document):
    """One shard of the orders of the last hour; after `expires_at` none of these orders counts."""

    orders: tuple[Noted, ...] = ()
    expires_at: datetime | None = None

    def since(self, then: datetime) -> tuple[Noted, ...]:
        """Return the orders that were noted after `then`."""
        return tuple(order for order in self.orders if order.at > then)


@dataclass(frozen=True)
class Room:
    """The room for orders: in total, and for each user."""

    orders: int
    of_a_user: int

    @classmethod
    def under(cls, cap: int) -> "Room":
        """Return the room of the whole deployment under this cap."""
        return cls(cap, max(1, cap // USER_SHARE))

    @property
    def shards(self) -> int:
        """The number of shards."""
        return -(-self.orders // SHARD)

    def of_shard(self, number: int) -> "Room":
        """Return the room of one shard; the rooms of all shards add up to this room."""
        return Room(self._share(self.orders, number), self._share(self.of_a_user, number))

    def takes(self, orders: tuple[Noted, ...], user: str) -> bool:
        """Whether there is room for one more order of that user in addition to `orders`."""
        mine = sum(order.user == user for order in orders)
        return len(orders) < self.orders and mine < self.of_a_user

    def _share(self, total: int, number: int) -> int:
        return total // self.shards + (number < total % self.shards)


class Budget:
    """The remaining room for visits called from the queue."""

    def __init__(self, room: Room, orders: tuple[Noted, ...], names: Pseudonyms) -> None:
        self._room, self._names = room, names
        self._used = len(orders)
        self._by_user = Counter(order.user for order in orders)

    def allows(self, user_id: str) -> bool:
        """Whether there is room for one more order of the user."""
        mine = self._by_user[self._names.of(user_id)]
        return self._used < self._room.orders and mine < self._room.of_a_user

    @property
    def has_room(self) -> bool:
        """Whether there is room for one more order of any user."""
        return self._used < self._room.orders

    def use(self, user_id: str) -> None:
        """Use up the room for one order of the user."""
        self._used += 1
        self._by_user[self._names.of(user_id)] += 1


class HourlyCap:
    """The hourly cap, as one instance applies it. Every method may raise `Transient`."""

    def __init__(
        self,
        flags: FlagReader,
        shards: SharedDocuments[Orders],
        clock: Clock,
        pseudonyms: Pseudonyms | None = None,
    ) -> None:
        self._flags = flags
        self._shards = Shared(shards)
        self._clock = clock
        self._names = pseudonyms or Pseudonyms()

    async def budget(self) -> Budget | None:
        """Return the remaining room now, or None if there is no cap."""
        room = await self._room()
        if room is None:
            return None
        return Budget(room, _all(await self._known(), self._since()), self._names)

    async def take(self, user_id: str, lease: str) -> bool:
        """Note an order that is sent now under `lease`; return False if there is no room for it.

        A second call with the same lease is a retry after a lost answer, and notes nothing more.
        """
        room = await self._room()
        if room is None:
            return True
        shards, user = await self._known(), self._names.of(user_id)
        orders = _all(shards, self._since())
        if any(order.lease == lease for order in orders):
            return True
        # All shards count, because removed shards still hold orders after the cap was lowered.
        if not room.takes(orders, user):
            return False
        noted = Noted(lease=lease, user=user, at=self._clock.now())
        home = crc32(lease.encode()) % room.shards
        for number in (*range(home, room.shards), *range(home)):
            into = self._into(room.of_shard(number), noted)
            if await self._shards.change(f"{number:04d}", into):
                return True
        return False

    async def _room(self) -> Room | None:
        cap = (await self._flags.now()).order_cap.per_hour
        return Room.under(cap) if cap is not None else None

    async def _known(self) -> Mapping[str, Orders]:
        return await self._shards.documents.all()

    def _since(self) -> datetime:
        return self._clock.now() - COUNTED_FOR

    def _into(self, room: Room, noted: Noted) -> Callable[[Orders | None], tuple[Orders, bool]]:
        def into(shard: Orders | None) -> tuple[Orders, bool]:
            shard = shard or Orders()
            orders = shard.since(self._since())
            if noted in orders:
                return shard, True
            if not room.takes(orders, noted.user):
                return shard, False
            expires_at = noted.at + COUNTED_FOR
            return Orders(orders=(*orders, noted), expires_at=expires_at), True

        return into


def _all(shards: Mapping[str, Orders], since: datetime) -> tuple[Noted, ...]:
    return tuple(order for shard in shards.values() for order in shard.since(since))
