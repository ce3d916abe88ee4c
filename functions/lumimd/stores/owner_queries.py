"""The queries of visit owners; `infra/firestore.indexes.json` has their indexes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from lumimd.domain.commit import StoredAction
from lumimd.domain.document import Document
from lumimd.domain.paths import ACTIONS, USERS, VISITS
from lumimd.domain.profile import Profile
from lumimd.domain.visit import Action, Visit
from lumimd.domain.visit_groups import STATUSES, Group, is_listed
from lumimd.ports.database import Database, Query, Write
from lumimd.ports.paging import Cursor, Page
from lumimd.stores.deletions import unless_held
from lumimd.stores.listing import Listing, itself
from lumimd.stores.reading import profile_of, readable
from lumimd.stores.shared_documents import SharedDocuments


@dataclass(frozen=True)
class ListPosition:
    """The position of a page's last item in a list: the instant and the id of the item."""

    created_at: datetime
    id: str


class Used(Document):
    """The usage of a user since some instant: the number of visits and their seconds of audio."""

    visits: int
    audio_seconds: float


class OwnerQueries:
    """Queries over the documents of one user, and writes of action items.

    Lists are ordered from newest to oldest; `after` is the position of the previous page's last
    item. An unreadable document is logged and skipped; a list is shorter than its limit only at the
    end.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._actions = SharedDocuments(database, ACTIONS, Action)

    async def visits(
        self,
        user_id: str,
        *,
        limit: int,
        group: Group | None = None,
        after: ListPosition | None = None,
        leave_out_archived: bool = False,
    ) -> Page[Visit]:
        """Return at most `limit` visits of a group, or of all groups, and the skipped ids.

        One read per visit.
        """
        query = _newest_first(VISITS, user_id)
        # A visit that its owner created has no field `archived` until a function saves the visit,
        # so a query by this field would miss the visit. The processing group and the list of all
        # groups are therefore filtered here, and read until the page is full.
        if group not in (None, Group.PROCESSING):
            query = query.where("archived", "==", group is Group.ARCHIVED)
        if group is not None and group in STATUSES:
            query = query.where("status", "in", list(STATUSES[group]))
        return await Listing(self._database, Visit, query, itself).filled(
            limit, _cursor(after), lambda visit: is_listed(visit, group, leave_out_archived)
        )

    async def batch(self, user_id: str, batch_id: str) -> Sequence[Visit]:
        """Return all visits of one batch, oldest first, as one query sees them at one instant."""
        query = Query(VISITS).where("userId", "==", user_id).where("batchId", "==", batch_id)
        found = await self._database.find(query)
        named = ((each.id, each.fields, None) for each in found)
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
        """Return at most `limit` action items, all or only those with this value of `completed`.

        One read per item.
        """
        query = _newest_first(ACTIONS, user_id)
        if completed is not None:
            query = query.where("completed", "==", completed)
        listing = Listing(self._database, Action, query, itself)
        return (await listing.filled(limit, _cursor(after))).items

    async def action(self, action_id: str) -> StoredAction | None:
        """Return one action item, or None. One read."""
        found = await self._actions.get(action_id)
        return StoredAction(*found) if found else None

    async def was_retired(self, user_id: str, action_id: str) -> bool:
        """Whether a visit of the user had this action item in an earlier summary. One read."""
        query = Query(VISITS).where("retiredActionIds", "array_contains", action_id)
        found = await self._database.find(query, 1)  # an id belongs to one visit
        return any(each.fields.get("userId") == user_id for each in found)

    async def add_action(self, action: Action) -> StoredAction:
        """Write a new action item.

        Raises:
            Conflict: the item exists, or its visit is under legal hold.
        """
        return await self._save(action, None)

    async def save_action(self, read: StoredAction, action: Action) -> StoredAction:
        """Replace an action item by compare-and-set.

        Raises:
            Conflict: the item has changed or is gone, or its visit is under legal hold.
        """
        return await self._save(action, read.version)

    async def remove_action(self, read: StoredAction) -> None:
        """Remove an action item by compare-and-set.

        Raises:
            Conflict: the item has changed or is gone, or its visit is under legal hold.
        """
        removal = Write(f"{ACTIONS}/{read.action.action_id}", None, read.version)
        await self._database.commit(removal, unless_held(read.action.visit_id))

    async def profile(self, user_id: str) -> Profile:
        """Return the profile of a user, or the default profile if none is stored. One read."""
        found = await self._database.get(f"{USERS}/{user_id}")
        return profile_of(user_id, found.fields if found else {})

    async def forget(self, user_id: str) -> None:
        """Delete the profile of a user. One write."""
        await self._database.commit(Write(f"{USERS}/{user_id}", None))

    async def used(self, user_id: str, since: datetime) -> Used:
        """Return the number of visits created since `since`, and their seconds of audio.

        Costs two aggregations, because a single query would not count visits without the summed
        field.
        """
        query = Query(VISITS).where("userId", "==", user_id).where("createdAt", ">=", since)
        visits = await self._database.count(query)
        seconds = await self._database.total(query, "ledger.audioSeconds")
        return Used(visits=visits, audio_seconds=seconds)

    async def _save(self, action: Action, read_version: object | None) -> StoredAction:
        write = Write(f"{ACTIONS}/{action.action_id}", action.to_stored(), read_version)
        version = await self._database.commit(write, unless_held(action.visit_id))
        return StoredAction(action, version)


def _newest_first(collection: str, user_id: str) -> Query:
    return Query(collection, "createdAt", newest_first=True).where("userId", "==", user_id)


def _cursor(place: ListPosition | None) -> Cursor | None:
    return Cursor(place.created_at, place.id) if place else None
