"""The owner queries on Cloud Firestore; `infra/firestore.indexes.json` has their indexes."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeVar

from google.cloud import firestore
from google.cloud.firestore_v1.base_query import FieldFilter

from lumimd.adapters.firestore.calls import called
from lumimd.adapters.firestore.deletions import unless_held
from lumimd.adapters.firestore.queries import Listing
from lumimd.adapters.reading import profile_of, read, readable
from lumimd.domain.commit import StoredAction
from lumimd.domain.document import Document
from lumimd.domain.paths import ACTIONS, USERS, VISITS
from lumimd.domain.profile import Profile
from lumimd.domain.visit import Action, Visit
from lumimd.domain.visit_groups import STATUSES, Group, is_listed
from lumimd.ports.owner_queries import ListPosition, Used
from lumimd.ports.paging import Cursor, Page

D = TypeVar("D", bound=Document)


class FirestoreOwnerQueries:
    """A version is the instant of the last write; the next write has it as its precondition."""

    def __init__(self, client: firestore.AsyncClient) -> None:
        self._client = client

    async def visits(
        self,
        user_id: str,
        *,
        limit: int,
        group: Group | None = None,
        after: ListPosition | None = None,
        leave_out_archived: bool = False,
    ) -> Page[Visit]:
        """The next `limit` visits of a group, or of all. One read per visit."""
        query = self._of(VISITS, user_id)
        # A visit that its owner created has no `archived` until a function writes it. So the method
        # filters the processing group and the list of all groups, and reads until the page is full.
        if group not in (None, Group.PROCESSING):
            archived = group is Group.ARCHIVED
            query = query.where(filter=FieldFilter("archived", "==", archived))
        if group is not None and group in STATUSES:
            query = query.where(filter=FieldFilter("status", "in", list(STATUSES[group])))
        listing = _newest_first(Visit, VISITS, query)
        return await listing.filled(
            limit, _cursor(after), lambda visit: is_listed(visit, group, leave_out_archived)
        )

    async def batch(self, user_id: str, batch_id: str) -> Sequence[Visit]:
        """The visits of one batch, oldest first. One query, so the visits are of one instant."""
        query = self._of(VISITS, user_id).where(filter=FieldFilter("batchId", "==", batch_id))
        found = await called(lambda: query.get(retry=None))
        named = ((each.id, each.to_dict(), None) for each in found)
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
        """At most `limit` action items. One read per item."""
        query = self._of(ACTIONS, user_id)
        if completed is not None:
            query = query.where(filter=FieldFilter("completed", "==", completed))
        found = await _newest_first(Action, ACTIONS, query).filled(limit, _cursor(after))
        return found.items

    async def action(self, action_id: str) -> StoredAction | None:
        """One action item, or None. One read."""
        reference = self._client.document(f"{ACTIONS}/{action_id}")
        snapshot = await called(lambda: reference.get(retry=None))
        stored = snapshot.to_dict()
        if not stored:
            return None
        return StoredAction(read(Action, ACTIONS, action_id, stored), snapshot.update_time)

    async def was_retired(self, user_id: str, action_id: str) -> bool:
        """Whether a visit of the user had this action item in an earlier summary. One read."""
        query = self._client.collection(VISITS).where(
            filter=FieldFilter("retiredActionIds", "array_contains", action_id)
        )
        found = await called(lambda: query.limit(1).get(retry=None))  # an id belongs to one visit
        return any((each.to_dict() or {}).get("userId") == user_id for each in found)

    async def add_action(self, action: Action) -> StoredAction:
        """Write a new action item; raises Conflict if it exists, or its visit is held."""
        batch: Any = self._client.batch()
        batch.create(self._action(action), action.to_stored())
        return StoredAction(action, await self._committed(batch, action))

    async def save_action(self, read: StoredAction, action: Action) -> StoredAction:
        """Replace an action item by compare-and-set; raises Conflict if it has changed."""
        batch: Any = self._client.batch()
        unchanged = self._client.write_option(last_update_time=read.version)
        batch.update(self._action(action), action.to_stored(), option=unchanged)
        return StoredAction(action, await self._committed(batch, action))

    async def remove_action(self, read: StoredAction) -> None:
        """Remove an action item by compare-and-set; raises Conflict if it has changed."""
        batch: Any = self._client.batch()
        unchanged = self._client.write_option(last_update_time=read.version)
        batch.delete(self._action(read.action), option=unchanged)
        await self._committed(batch, read.action)

    def _action(self, action: Action) -> Any:
        return self._client.document(f"{ACTIONS}/{action.action_id}")

    async def _committed(self, batch: Any, action: Action) -> Any:
        """The instant of the write, which fails if the visit is under legal hold."""
        unless_held(self._client, batch, action.visit_id)
        results = await called(lambda: batch.commit(retry=None))
        return results[0].update_time

    async def profile(self, user_id: str) -> Profile:
        """The profile of a user. One read."""
        reference = self._client.document(f"{USERS}/{user_id}")
        snapshot = await called(lambda: reference.get(retry=None))
        return profile_of(user_id, snapshot.to_dict() or {})

    async def forget(self, user_id: str) -> None:
        """Delete the profile of a user. One write."""
        reference = self._client.document(f"{USERS}/{user_id}")
        await called(lambda: reference.delete(retry=None))

    async def used(self, user_id: str, since: datetime) -> Used:
        """The number of visits created since then, and their seconds of audio. Two aggregations.

        Separate queries: in one query, Firestore does not count a visit without the summed field.
        """
        query = self._of(VISITS, user_id).where(filter=FieldFilter("createdAt", ">=", since))
        counted: Any = query.count(alias="visits")
        summed: Any = query.sum("ledger.audioSeconds", alias="audio_seconds")
        ((visits,),) = await called(lambda: counted.get(retry=None))
        ((seconds,),) = await called(lambda: summed.get(retry=None))
        return Used(visits=int(visits.value), audio_seconds=float(seconds.value))

    def _of(self, collection: str, user_id: str) -> Any:
        query: Any = self._client.collection(collection)
        return query.where(filter=FieldFilter("userId", "==", user_id))


def _newest_first(kind: type[D], collection: str, query: Any) -> Listing[D, D]:
    return Listing(kind, collection, query, "createdAt", lambda item, _: item, newest_first=True)


def _cursor(place: ListPosition | None) -> Cursor | None:
    return Cursor(place.created_at, place.id) if place else None
