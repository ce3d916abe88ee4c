"""The owner queries over the visits in memory."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeVar

from lumimd.adapters.memory.queries import Listing, equal
from lumimd.adapters.memory.visit_store import MemoryVisitStore
from lumimd.adapters.reading import profile_of, read, readable
from lumimd.domain.commit import Conflict, StoredAction
from lumimd.domain.document import Document
from lumimd.domain.paths import ACTIONS, HOLDS, USERS, VISITS
from lumimd.domain.profile import Profile
from lumimd.domain.visit import Action, Visit
from lumimd.domain.visit_groups import Group, is_listed
from lumimd.ports.owner_queries import ListPosition, Used
from lumimd.ports.paging import Cursor, Page

D = TypeVar("D", bound=Document)


class MemoryOwnerQueries:
    """Reads the documents of `store`; the version of an action item is its content."""

    def __init__(self, store: MemoryVisitStore) -> None:
        self._store = store

    async def visits(
        self,
        user_id: str,
        *,
        limit: int,
        group: Group | None = None,
        after: ListPosition | None = None,
        leave_out_archived: bool = False,
    ) -> Page[Visit]:
        """At most `limit` visits of a group, or of all."""
        await asyncio.sleep(0)  # like a real read, yields to other tasks
        listing = self._newest_first(Visit, VISITS, user_id)
        return listing.filled(
            limit, _cursor(after), lambda visit: is_listed(visit, group, leave_out_archived)
        )

    async def batch(self, user_id: str, batch_id: str) -> Sequence[Visit]:
        """The visits of one batch, oldest first."""
        await asyncio.sleep(0)
        found = self._store.raw.under(VISITS)
        named = (
            (path.removeprefix(f"{VISITS}/"), visit, None)
            for path, visit in found
            if equal(visit, userId=user_id, batchId=batch_id)
        )
        visits = [visit for visit, _ in readable(Visit, VISITS, named)[0]]
        return sorted(visits, key=lambda visit: (visit.created_at, visit.visit_id))

    async def actions(
        self,
        user_id: str,
        *,
        limit: int,
        completed: bool | None = None,
        after: ListPosition | None = None,
    ) -> Sequence[Action]:
        """At most `limit` action items: all, or only those that are (not) completed."""
        await asyncio.sleep(0)
        listing = self._newest_first(Action, ACTIONS, user_id, completed)
        return listing.filled(limit, _cursor(after)).items

    async def action(self, action_id: str) -> StoredAction | None:
        """One action item, or None."""
        await asyncio.sleep(0)
        found = self._store.raw.get(f"{ACTIONS}/{action_id}")
        return StoredAction(read(Action, ACTIONS, action_id, found), found) if found else None

    async def was_retired(self, user_id: str, action_id: str) -> bool:
        """Whether a visit of the user had this action item in an earlier summary."""
        await asyncio.sleep(0)
        return any(
            equal(visit, userId=user_id) and action_id in visit.get("retiredActionIds", ())
            for _, visit in self._store.raw.under(VISITS)
        )

    async def add_action(self, action: Action) -> StoredAction:
        """Write a new action item; raises Conflict if it exists."""
        await asyncio.sleep(0)
        if f"{ACTIONS}/{action.action_id}" in self._store.raw:
            raise Conflict
        self._not_held(action)
        return self._write(action)

    async def save_action(self, read: StoredAction, action: Action) -> StoredAction:
        """Replace an action item by compare-and-set; raises Conflict if it has changed."""
        await asyncio.sleep(0)
        self._check(read)
        return self._write(action)

    async def remove_action(self, read: StoredAction) -> None:
        """Remove an action item by compare-and-set; raises Conflict if it has changed."""
        await asyncio.sleep(0)
        self._check(read)
        del self._store.raw[f"{ACTIONS}/{read.action.action_id}"]

    async def profile(self, user_id: str) -> Profile:
        """The profile of a user."""
        await asyncio.sleep(0)
        return profile_of(user_id, self._store.raw.get(f"{USERS}/{user_id}"))

    async def forget(self, user_id: str) -> None:
        """Delete the profile of a user."""
        await asyncio.sleep(0)
        self._store.raw.pop(f"{USERS}/{user_id}", None)

    async def used(self, user_id: str, since: datetime) -> Used:
        """The number of visits created since then, and their seconds of audio."""
        await asyncio.sleep(0)
        found = [
            visit
            for _, visit in self._store.raw.under(VISITS)
            if equal(visit, userId=user_id)
            and isinstance(visit.get("createdAt"), datetime)
            and visit["createdAt"] >= since
        ]
        return Used(visits=len(found), audio_seconds=sum(map(_audio_seconds, found)))

    def _newest_first(
        self, kind: type[D], collection: str, user_id: str, completed: bool | None = None
    ) -> Listing[D, D]:
        def where(stored: dict[str, Any]) -> bool:
            is_theirs = equal(stored, userId=user_id)
            return is_theirs and (completed is None or equal(stored, completed=completed))

        raw = self._store.raw
        return Listing(raw, kind, collection, "createdAt", _itself, where, newest_first=True)

    def _check(self, read: StoredAction) -> None:
        if self._store.raw.get(f"{ACTIONS}/{read.action.action_id}") != read.version:
            raise Conflict
        self._not_held(read.action)

    def _not_held(self, action: Action) -> None:
        if f"{HOLDS}/{action.visit_id}" in self._store.raw:
            raise Conflict

    def _write(self, action: Action) -> StoredAction:
        stored = action.to_stored()
        self._store.raw[f"{ACTIONS}/{action.action_id}"] = stored
        return StoredAction(action, stored)


def _itself(document: D, _path: str) -> D:
    return document


def _cursor(place: ListPosition | None) -> Cursor | None:
    return Cursor(place.created_at, place.id) if place else None


def _audio_seconds(visit: dict[str, Any]) -> float:
    """Like Firestore's sum: a value that is no number counts as 0."""
    ledger = visit.get("ledger")
    seconds = ledger.get("audioSeconds") if isinstance(ledger, dict) else None
    return seconds if isinstance(seconds, int | float) else 0.0
