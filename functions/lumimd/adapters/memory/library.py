"""The library over the visits in memory."""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TypeVar

from lumimd.adapters.memory.store import MemoryVisitStore
from lumimd.commit import Conflict
from lumimd.library import Group, Place, Profile, StoredAction, Used, group_of
from lumimd.records import Action, Visit

T = TypeVar("T")


class MemoryLibrary:
    """Reads what `store` holds; the version of an action item is what it said."""

    def __init__(self, store: MemoryVisitStore) -> None:
        self._store = store

    async def visits(
        self, user_id: str, *, limit: int, group: Group | None = None, after: Place | None = None
    ) -> Sequence[Visit]:
        """At most `limit` visits of a group, or of all."""
        found = [visit for visit in await self._visits(user_id) if group in (None, group_of(visit))]
        return _page(((v, Place(v.created_at, v.visit_id)) for v in found), limit, after)

    async def batch(self, user_id: str, batch_id: str) -> Sequence[Visit]:
        """The visits of one batch, oldest first."""
        found = [visit for visit in await self._visits(user_id) if visit.batch_id == batch_id]
        return sorted(found, key=lambda visit: (visit.created_at, visit.visit_id))

    async def actions(
        self, user_id: str, *, limit: int, completed: bool | None = None, after: Place | None = None
    ) -> Sequence[Action]:
        """At most `limit` action items; those that are (not) completed, or all."""
        await asyncio.sleep(0)  # a real read gives way to others, and so does this one
        found = [
            action
            for action in self._all_actions()
            if action.user_id == user_id and completed in (None, action.completed)
        ]
        return _page(((a, Place(a.created_at, a.action_id)) for a in found), limit, after)

    async def action(self, action_id: str) -> StoredAction | None:
        """One action item, or None."""
        await asyncio.sleep(0)
        found = self._store.raw.get(f"actions/{action_id}")
        return StoredAction(Action.from_stored(found), found) if found else None

    async def add_action(self, action: Action) -> StoredAction:
        """Write a new action item; raises Conflict when it exists."""
        await asyncio.sleep(0)
        if f"actions/{action.action_id}" in self._store.raw:
            raise Conflict
        return self._write(action)

    async def save_action(self, read: StoredAction, action: Action) -> StoredAction:
        """Write an action item that is still as it was read; raises Conflict when it is not."""
        await asyncio.sleep(0)
        self._check(read)
        return self._write(action)

    async def remove_action(self, read: StoredAction) -> None:
        """Remove an action item that is still as it was read; raises Conflict when it is not."""
        await asyncio.sleep(0)
        self._check(read)
        del self._store.raw[f"actions/{read.action.action_id}"]

    async def profile(self, user_id: str) -> Profile:
        """What is known of a user."""
        await asyncio.sleep(0)
        stored = self._store.raw.get(f"users/{user_id}", {})
        return Profile.from_stored({**stored, "userId": user_id})

    async def forget(self, user_id: str) -> None:
        """Delete what is known of a user apart from visits."""
        await asyncio.sleep(0)
        self._store.raw.pop(f"users/{user_id}", None)

    async def used(self, user_id: str, since: datetime) -> Used:
        """What the visits that were created since then came to."""
        found = [visit for visit in await self._visits(user_id) if visit.created_at >= since]
        return Used(visits=len(found), audio_seconds=sum(v.ledger.audio_seconds for v in found))

    async def _visits(self, user_id: str) -> list[Visit]:
        await asyncio.sleep(0)
        visits = (Visit.from_stored(found) for _, found in self._store.raw.under("visits"))
        return [visit for visit in visits if visit.user_id == user_id]

    def _all_actions(self) -> Iterable[Action]:
        return (Action.from_stored(found) for _, found in self._store.raw.under("actions"))

    def _check(self, read: StoredAction) -> None:
        if self._store.raw.get(f"actions/{read.action.action_id}") != read.version:
            raise Conflict

    def _write(self, action: Action) -> StoredAction:
        stored = action.to_stored()
        self._store.raw[f"actions/{action.action_id}"] = stored
        return StoredAction(action, stored)


def _page(found: Iterable[tuple[T, Place]], limit: int, after: Place | None) -> list[T]:
    newest_first = sorted(found, key=lambda pair: (pair[1].created_at, pair[1].id), reverse=True)
    mark = (after.created_at, after.id) if after else None
    return [
        item for item, place in newest_first if mark is None or (place.created_at, place.id) < mark
    ][:limit]
