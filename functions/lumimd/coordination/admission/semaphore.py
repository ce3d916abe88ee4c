"""The distributed semaphore for jobs at the provider: at most as many permits as the cap allows."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final
from zlib import crc32

from lumimd.coordination.shared_document import Shared
from lumimd.policies.permits import Cap, Permit, Shard, left, released, spilled, taken
from lumimd.policies.priorities import Priority
from lumimd.ports.clock import Clock
from lumimd.stores.shared_documents import SharedDocuments


class Semaphore:
    """Takes and releases permits on behalf of one instance.

    The name of a holder determines its home shard. `take` reads and writes the home shard, and
    looks at all shards only if the home shard has no room.

    After the cap was lowered, permits in removed shards do not count against the new cap.
    """

    def __init__(self, shards: SharedDocuments[Shard], cap: Cap, clock: Clock) -> None:
        self.cap: Final = cap
        self._shards = Shared(shards)
        self._clock = clock

    async def take(self, holder: str, priority: Priority, until: datetime) -> bool:
        """Take a permit until then, or keep the holder's permit; return False if none is free.

        Raises:
            Contended: too many callers wanted permits at once.
            Transient: the store is not available.
        """
        home = self._home(holder)
        permit = Permit(holder=holder, priority=priority, since=self._clock.now(), until=until)
        outcome = await self._shards.change(_key(home), lambda shard: self._at_home(shard, permit))
        if outcome is not None:
            return outcome
        for number in self._elsewhere(home, await self._all(), permit):
            if number != home:
                await self._shards.change(_key(home), lambda shard: self._spilled(shard, permit))
            if await self._shards.change(_key(number), self._into(number, permit)):
                return True
        return False

    async def has(self, holder: str) -> bool:
        """Whether the holder has a permit.

        Raises:
            Transient: the store is not available.
        """
        now = self._clock.now()
        found = await self._shards.documents.get(_key(self._home(holder)))
        home = found[0] if found else Shard()
        shards = (await self._all()).values() if home.spills(now) else [home]
        permits = (shard.of(holder) for shard in shards)
        return any(permit is not None and permit.until > now for permit in permits)

    async def release(self, holder: str) -> None:
        """Release the holder's permit, if there is a permit.

        Raises:
            Contended: too many callers released permits at once.
            Transient: the store is not available.
        """
        home = self._home(holder)

        def leave(shard: Shard | None) -> tuple[Shard | None, bool]:
            if shard is None:
                return None, False
            return released(shard, holder), shard.spills(self._clock.now())

        if await self._shards.change(_key(home), leave):
            for number, shard in (await self._all()).items():
                if shard.of(holder) is not None:
                    await self._shards.change(_key(number), leave)

    async def holders(self) -> tuple[Permit, ...]:
        """Return every permit that is taken.

        Raises:
            Transient: the store is not available.
        """
        now = self._clock.now()
        shards = (await self._all()).values()
        return tuple(permit for shard in shards for permit in shard.permits if permit.until > now)

    async def free(self) -> dict[Priority, int]:
        """Return the number of permits that each priority could take now.

        Raises:
            Transient: the store is not available.
        """
        shards, now = await self._all(), self._clock.now()
        rooms = [
            left(shards.get(number, Shard()), self.cap.room(number), now)
            for number in range(self.cap.shards)
        ]
        return {priority: sum(room[priority] for room in rooms) for priority in Priority}

    def _at_home(self, shard: Shard | None, permit: Permit) -> tuple[Shard | None, bool | None]:
        """Try to take the permit in the home shard.

        The result is None if the holder may have, or may find, a permit in another shard.
        """
        now, shard = self._clock.now(), shard or Shard()
        if shard.of(permit.holder) is None and shard.spills(now):
            return None, None
        after = taken(shard, permit, self.cap.room(self._home(permit.holder)), now)
        if after is None:
            return None, False if self.cap.shards == 1 else None
        return after, True

    def _spilled(self, shard: Shard | None, permit: Permit) -> tuple[Shard, None]:
        return spilled(shard or Shard(), permit.until), None

    def _into(
        self, number: int, permit: Permit
    ) -> Callable[[Shard | None], tuple[Shard | None, bool]]:
        def into(shard: Shard | None) -> tuple[Shard | None, bool]:
            after = taken(shard or Shard(), permit, self.cap.room(number), self._clock.now())
            return after, after is not None

        return into

    def _elsewhere(self, home: int, shards: Mapping[int, Shard], permit: Permit) -> list[int]:
        """Return the shards to try: the holder's shard, else all shards with room from home on."""
        at = [number for number, shard in shards.items() if shard.of(permit.holder) is not None]
        now, numbers = self._clock.now(), range(self.cap.shards)
        return at or [
            number
            for number in (*numbers[home:], *numbers[:home])
            if left(shards.get(number, Shard()), self.cap.room(number), now)[permit.priority]
        ]

    async def _all(self) -> dict[int, Shard]:
        return {int(key): shard for key, shard in (await self._shards.documents.all()).items()}

    def _home(self, holder: str) -> int:
        return crc32(holder.encode()) % self.cap.shards


def _key(shard: int) -> str:
    return f"{shard:04d}"
