"""The document database on Cloud Firestore."""

from collections.abc import Awaitable, Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, TypeVar

from google.api_core import exceptions as api

from lumimd.domain.codes import ErrorCode
from lumimd.domain.commit import Conflict
from lumimd.domain.errors import Transient
from lumimd.policies import retry
from lumimd.ports.database import ANY_VERSION, ID, Query, Snapshot, Write
from lumimd.ports.paging import Cursor

if TYPE_CHECKING:  # the first call loads the SDK
    from google.cloud import firestore

T = TypeVar("T")

_CONFLICTS: Final = (api.FailedPrecondition, api.AlreadyExists, api.NotFound)
_TRANSIENT: Final = (
    api.Aborted,
    api.ServerError,
    api.TooManyRequests,
    api.Cancelled,
    api.RetryError,
)


class FirestoreDatabase:
    """A Firestore database. A document's version is the time of its last write.

    A write has the version that was read as its precondition.
    """

    def __init__(self, make_client: "Callable[[], firestore.AsyncClient]") -> None:
        self._make_client = make_client

    @cached_property
    def _client(self) -> "firestore.AsyncClient":
        return self._make_client()

    async def get(self, path: str, *fields: str) -> Snapshot | None:
        reference = self._client.document(path)
        found = await called(lambda: reference.get(field_paths=fields or None, retry=None))
        return _snapshot(found) if found.exists else None

    async def commit(self, *writes: Write) -> object:
        batch: Any = self._client.batch()
        for write in writes:
            self._add(batch, write)
        results = await called(lambda: batch.commit(retry=None))
        return results[0].update_time

    async def find(
        self, query: Query, limit: int | None = None, after: Cursor | None = None
    ) -> Sequence[Snapshot]:
        found = self._ordered(query) if query.order or after else self._matching(query)
        if query.fields:
            found = found.select(query.fields)
        if limit is not None:
            found = found.limit(limit)
        if after is not None:
            found = found.start_after(_position(query, after))
        return [_snapshot(each) for each in await called(lambda: found.get(retry=None))]

    async def count(self, query: Query, before: Cursor | None = None) -> int:
        found = self._matching(query)
        if before is not None:
            found = self._ordered(query).end_before(_position(query, before))
        ((result,),) = await called(lambda: found.count().get(retry=None))
        return int(result.value)

    async def total(self, query: Query, field: str) -> float:
        summed = self._matching(query).sum(field)
        ((result,),) = await called(lambda: summed.get(retry=None))
        return float(result.value)

    async def next_number(self, path: str, field: str, after: int, others: dict[str, Any]) -> int:
        """Draw the next number by two transforms in one commit."""
        from google.cloud import firestore

        reference = self._client.document(path)

        async def drawn() -> int:
            batch: Any = self._client.batch()
            batch.set(reference, {field: firestore.Maximum(after)}, merge=True)
            batch.set(reference, {field: firestore.Increment(1), **others}, merge=True)
            *_, result = await batch.commit(retry=None)
            return int(result.transform_results[0].integer_value)

        return await called(drawn)

    def _add(self, batch: Any, write: Write) -> None:
        reference = self._client.document(write.path)
        if write.fields is None:
            batch.delete(reference, option=self._precondition(write.if_version))
        elif write.if_version is None:
            batch.create(reference, write.fields)
        elif write.if_version is ANY_VERSION:
            batch.set(reference, write.fields)
        else:
            batch.update(reference, write.fields, option=self._precondition(write.if_version))

    def _precondition(self, version: object) -> Any:
        if version is ANY_VERSION:
            return None
        if version is None:
            return self._client.write_option(exists=False)
        return self._client.write_option(last_update_time=version)

    def _matching(self, query: Query) -> Any:
        from google.cloud.firestore_v1.base_query import FieldFilter

        found: Any = self._client.collection(query.collection)
        for field, operator, value in query.conditions:
            if field == ID:
                value = self._client.document(f"{query.collection}/{value}")
            found = found.where(filter=FieldFilter(field, operator, value))
        return found

    def _ordered(self, query: Query) -> Any:
        from google.cloud import firestore

        direction = firestore.Query.DESCENDING if query.newest_first else firestore.Query.ASCENDING
        found = self._matching(query)
        if query.order is not None:
            found = found.order_by(query.order, direction=direction)
        return found.order_by(ID, direction=direction)


async def called(make: Callable[[], Awaitable[T]]) -> T:
    """Make one call by the store's retry policy, with the SDK's errors translated into ours.

    If the response to an applied write is lost, Firestore refuses the retried write; the caller
    then reads again and finds its own write.
    """

    async def once() -> T:
        try:
            return await make()
        except _CONFLICTS as error:
            raise Conflict from error
        except _TRANSIENT as error:
            raise Transient(ErrorCode.INTERNAL_ERROR) from error

    return await retry.call(retry.STORE, ErrorCode.INTERNAL_ERROR, once)


def _position(query: Query, cursor: Cursor) -> dict[str, Any]:
    return {query.order: cursor.value, ID: cursor.id} if query.order else {ID: cursor.id}


def _snapshot(found: Any) -> Snapshot:
    return Snapshot(found.id, found.to_dict(), found.update_time)
