"""The library on Cloud Firestore. The indexes it needs are in `infra/firestore.indexes.json`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, TypeVar

from google.cloud import firestore
from google.cloud.firestore_v1.base_query import FieldFilter
from pydantic import ValidationError

from lumimd import logs
from lumimd.adapters.firestore import called
from lumimd.document import Document
from lumimd.library import STATUSES, Group, Place, Profile, StoredAction, Used, group_of
from lumimd.records import Action, Visit

D = TypeVar("D", bound=Document)

_NEWEST: Final = firestore.Query.DESCENDING


class FirestoreLibrary:
    """A version is the instant of the last write, which the next one gives as its precondition."""

    def __init__(self, client: firestore.AsyncClient) -> None:
        self._client = client

    async def visits(
        self, user_id: str, *, limit: int, group: Group | None = None, after: Place | None = None
    ) -> Sequence[Visit]:
        """At most `limit` visits of a group, or of all. One read a visit."""
        query = self._of("visits", user_id)
        # A visit that its owner created has no `archived` until a function writes it: those which
        # are processing are sifted here, and more is read until the page is full.
        if group not in (None, Group.PROCESSING):
            archived = group is Group.ARCHIVED
            query = query.where(filter=FieldFilter("archived", "==", archived))
        if group is not None and group in STATUSES:
            query = query.where(filter=FieldFilter("status", "in", list(STATUSES[group])))
        found: list[Visit] = []
        while True:
            snapshots = await self._page("visits", query, limit, after)
            visits = _read_all(Visit, snapshots)
            found += [visit for visit in visits if group in (None, group_of(visit))]
            if len(found) >= limit or len(snapshots) < limit:
                return found[:limit]
            after = Place(snapshots[-1].get("createdAt"), snapshots[-1].id)

    async def batch(self, user_id: str, batch_id: str) -> Sequence[Visit]:
        """The visits of one batch, oldest first. One query, so they are of one moment."""
        query = self._of("visits", user_id).where(filter=FieldFilter("batchId", "==", batch_id))
        visits = _read_all(Visit, await called(lambda: query.get(retry=None)))
        return sorted(visits, key=lambda visit: (visit.created_at, visit.visit_id))

    async def actions(
        self, user_id: str, *, limit: int, completed: bool | None = None, after: Place | None = None
    ) -> Sequence[Action]:
        """At most `limit` action items. One read an item."""
        query = self._of("actions", user_id)
        if completed is not None:
            query = query.where(filter=FieldFilter("completed", "==", completed))
        return _read_all(Action, await self._page("actions", query, limit, after))

    async def action(self, action_id: str) -> StoredAction | None:
        """One action item, or None. One read."""
        reference = self._client.document(f"actions/{action_id}")
        snapshot = await called(lambda: reference.get(retry=None))
        stored = snapshot.to_dict()
        return StoredAction(Action.from_stored(stored), snapshot.update_time) if stored else None

    async def add_action(self, action: Action) -> StoredAction:
        """Write a new action item; raises Conflict when it exists."""
        reference = self._client.document(f"actions/{action.action_id}")
        result = await called(lambda: reference.create(action.to_stored(), retry=None))
        return StoredAction(action, result.update_time)

    async def save_action(self, read: StoredAction, action: Action) -> StoredAction:
        """Write an action item that is still as it was read; raises Conflict when it is not."""
        reference = self._client.document(f"actions/{action.action_id}")
        unchanged = self._client.write_option(last_update_time=read.version)
        result = await called(
            lambda: reference.update(action.to_stored(), option=unchanged, retry=None)
        )
        return StoredAction(action, result.update_time)

    async def remove_action(self, read: StoredAction) -> None:
        """Remove an action item that is still as it was read; raises Conflict when it is not."""
        reference = self._client.document(f"actions/{read.action.action_id}")
        unchanged = self._client.write_option(last_update_time=read.version)
        await called(lambda: reference.delete(option=unchanged, retry=None))

    async def profile(self, user_id: str) -> Profile:
        """What is known of a user. One read."""
        reference = self._client.document(f"users/{user_id}")
        snapshot = await called(lambda: reference.get(retry=None))
        return Profile.from_stored({**(snapshot.to_dict() or {}), "userId": user_id})

    async def forget(self, user_id: str) -> None:
        """Delete what is known of a user apart from visits. One write."""
        reference = self._client.document(f"users/{user_id}")
        await called(lambda: reference.delete(retry=None))

    async def used(self, user_id: str, since: datetime) -> Used:
        """What the visits that were created since then came to. Two aggregations.

        Counted apart: counted together, a visit without a sum to add would not be counted.
        """
        query = self._of("visits", user_id).where(filter=FieldFilter("createdAt", ">=", since))
        counted: Any = query.count(alias="visits")
        summed: Any = query.sum("ledger.audioSeconds", alias="audio_seconds")
        ((visits,),) = await called(lambda: counted.get(retry=None))
        ((seconds,),) = await called(lambda: summed.get(retry=None))
        return Used(visits=int(visits.value), audio_seconds=float(seconds.value))

    def _of(self, collection: str, user_id: str) -> Any:
        query: Any = self._client.collection(collection)
        return query.where(filter=FieldFilter("userId", "==", user_id))

    async def _page(
        self, collection: str, query: Any, limit: int, after: Place | None
    ) -> list[Any]:
        query = query.order_by("createdAt", _NEWEST).order_by("__name__", _NEWEST).limit(limit)
        if after is not None:
            last = self._client.document(f"{collection}/{after.id}")
            query = query.start_after({"createdAt": after.created_at, "__name__": last})
        return await called(lambda: query.get(retry=None))


def _read_all(document: type[D], snapshots: Sequence[Any]) -> list[D]:
    """The documents; one that cannot be read is logged and passed over, and hides no other."""
    read: list[D] = []
    for snapshot in snapshots:
        try:
            read.append(document.from_stored(snapshot.to_dict()))
        except ValidationError as error:
            logs.failure("document_unreadable", error, eventId=snapshot.id)
    return read
