"""The visit store on Cloud Firestore."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar

from google.api_core import exceptions as api
from google.cloud import firestore
from google.cloud.firestore_v1.base_query import FieldFilter
from pydantic import ValidationError

from lumimd import logs
from lumimd.commit import Commit, Conflict, Stored
from lumimd.dead_letter import DeadLetter
from lumimd.errors import ErrorCode, Transient
from lumimd.records import Action, HistoryEntry, Visit
from lumimd.resilience import retry
from lumimd.transcript import TranscriptPage, Utterance, joined

T = TypeVar("T")

_CONFLICTS: Final = (api.FailedPrecondition, api.AlreadyExists, api.NotFound)
_TRANSIENT: Final = (
    api.Aborted,
    api.ServerError,
    api.TooManyRequests,
    api.Cancelled,
    api.RetryError,
)


class FirestoreVisitStore:
    """Visits, transcripts, history and actions; every write is a batch, all of it or nothing."""

    def __init__(self, client: firestore.AsyncClient) -> None:
        self._client = client

    async def get(self, visit_id: str) -> Stored | None:
        """The visit, or None. One read."""
        reference = self._client.document(f"visits/{visit_id}")
        snapshot = await called(lambda: reference.get(retry=None))
        return _stored(snapshot) if snapshot.exists else None

    async def create(self, commit: Commit) -> Stored:
        """Write a visit that does not exist yet; raises Conflict when it does, or was deleted.

        Deleting a receipt on the condition that there is none deletes nothing. It makes the commit
        depend on there being none, in the same request and without a transaction.
        """
        batch = self._client.batch()
        (path, visit), *others = commit.writes().items()
        batch.create(self._client.document(path), visit)
        receipt = self._client.document(f"deletions/{commit.visit.visit_id}")
        batch.delete(receipt, option=self._client.write_option(exists=False))
        return await self._committed(batch, commit, others)

    async def save(self, read: Stored, commit: Commit) -> Stored:
        """Write a visit that is still as it was read; raises Conflict when it is not."""
        batch = self._client.batch()
        (path, visit), *others = commit.writes().items()
        unchanged = self._client.write_option(last_update_time=read.version)
        batch.update(self._client.document(path), visit, option=unchanged)
        return await self._committed(batch, commit, others)

    async def due(self, now: datetime, limit: int, after: Stored | None = None) -> Sequence[Stored]:
        """At most `limit` visits with `wake_at <= now`, the longest overdue first.

        A document that cannot be read is logged and passed over, so that it stops nobody else.
        """
        query = (
            self._client.collection("visits")
            .where(filter=FieldFilter("wakeAt", "<=", now))
            .order_by("wakeAt")
            .order_by("__name__")
            .limit(limit)
        )
        if after is not None:
            last = self._client.document(f"visits/{after.visit.visit_id}")
            query = query.start_after({"wakeAt": after.visit.wake_at, "__name__": last})
        due: list[Stored] = []
        for snapshot in await self._all(query):
            try:
                due.append(_stored(snapshot))
            except ValidationError as error:
                logs.failure("visit_unreadable", error, visitId=snapshot.id)
        return due

    async def transcript(self, visit_id: str) -> tuple[Utterance, ...]:
        """The stored utterances in order. One read a page."""
        pages = await self._all(self._client.collection(f"visits/{visit_id}/transcript"))
        return joined(TranscriptPage.from_stored(page.to_dict()) for page in pages)

    async def history(self, visit_id: str) -> tuple[HistoryEntry, ...]:
        """The timeline in order. One read an entry."""
        entries = await self._all(self._client.collection(f"visits/{visit_id}/history"))
        return tuple(HistoryEntry.from_stored(entry.to_dict()) for entry in entries)

    async def actions(self, visit_id: str) -> tuple[Action, ...]:
        """The action items of a visit, in order of their ids. One read an item."""
        query = self._client.collection("actions").where(
            filter=FieldFilter("visitId", "==", visit_id)
        )
        return tuple(Action.from_stored(found.to_dict()) for found in await self._all(query))

    async def dead_letter(self, visit_id: str) -> DeadLetter | None:
        """Why the visit failed, or None. One read."""
        reference = self._client.document(f"deadLetters/{visit_id}")
        found = await called(lambda: reference.get(retry=None))
        stored = found.to_dict()
        return DeadLetter.from_stored(stored) if stored else None

    async def _all(self, query: Any) -> list[Any]:
        return await called(lambda: query.get(retry=None))

    async def _committed(
        self, batch: Any, commit: Commit, others: Sequence[tuple[str, dict[str, Any]]]
    ) -> Stored:
        for path, document in others:
            batch.set(self._client.document(path), document)
        for path in commit.deletes():
            batch.delete(self._client.document(path))
        results = await called(lambda: batch.commit(retry=None))
        return Stored(commit.visit, results[0].update_time)


async def called(make: Callable[[], Awaitable[T]]) -> T:
    """One call by the store's retry policy, with the SDK's errors told in our words.

    A write that was applied although its answer got lost is refused when it is repeated; the
    caller then reads again and finds its own write.
    """

    async def once() -> T:
        try:
            return await make()
        except _CONFLICTS as error:
            raise Conflict from error
        except _TRANSIENT as error:
            raise Transient(ErrorCode.INTERNAL_ERROR) from error

    return await retry.call(retry.STORE, ErrorCode.INTERNAL_ERROR, once)


def _stored(snapshot: Any) -> Stored:
    return Stored(Visit.from_stored(snapshot.to_dict()), snapshot.update_time)
