"""The stored answers on Cloud Firestore: `idempotencyKeys/{key}`, expired by TTL on `expiresAt`."""

from typing import Any, Final

from google.cloud import firestore
from google.cloud.firestore_v1.base_query import FieldFilter

from lumimd.adapters.firestore.calls import called
from lumimd.adapters.reading import read
from lumimd.domain.paths import IDEMPOTENCY_KEYS
from lumimd.ports.idempotency_store import Answer

_BATCH: Final = 500


class FirestoreIdempotencyStore:
    """A version is the instant of the last write; the next write has it as its precondition."""

    def __init__(self, client: firestore.AsyncClient) -> None:
        self._client = client

    async def get(self, key: str) -> tuple[Answer, object] | None:
        """The answer under a key, and its version. One read."""
        reference = self._client.document(f"{IDEMPOTENCY_KEYS}/{key}")
        snapshot = await called(lambda: reference.get(retry=None))
        stored = snapshot.to_dict()
        return (
            (read(Answer, IDEMPOTENCY_KEYS, key, stored), snapshot.update_time) if stored else None
        )

    async def save(self, read_version: object | None, answer: Answer) -> object:
        """Write an answer by compare-and-set; raises Conflict if it has changed."""
        reference = self._client.document(f"{IDEMPOTENCY_KEYS}/{answer.key}")
        batch = self._client.batch()
        if read_version is None:
            batch.create(reference, answer.to_stored())
        else:
            unchanged = self._client.write_option(last_update_time=read_version)
            batch.update(reference, answer.to_stored(), option=unchanged)
        results = await called(lambda: batch.commit(retry=None))
        return results[0].update_time

    async def remove(self, read_version: object, answer: Answer) -> None:
        """Remove an answer by compare-and-set; raises Conflict if it has changed."""
        reference = self._client.document(f"{IDEMPOTENCY_KEYS}/{answer.key}")
        unchanged = self._client.write_option(last_update_time=read_version)
        await called(lambda: reference.delete(option=unchanged, retry=None))

    async def forget(self, user_id: str, naming: str | None = None) -> int:
        """Remove all answers to a user, or those that contain an id.

        One read per answer of the user, and one write per removed answer.
        """
        collection: Any = self._client.collection(IDEMPOTENCY_KEYS)
        query = collection.where(filter=FieldFilter("userId", "==", user_id)).select(["body"])
        forgotten, after = 0, None
        while True:
            page = query.limit(_BATCH) if after is None else query.limit(_BATCH).start_after(after)
            found = await called(lambda page=page: page.get(retry=None))  # type: ignore[misc]
            going = [each for each in found if naming is None or naming in (each.get("body") or "")]
            batch = self._client.batch()
            for snapshot in going:
                batch.delete(snapshot.reference)
            if going:
                await called(lambda batch=batch: batch.commit(retry=None))  # type: ignore[misc]
            forgotten += len(going)
            if len(found) < _BATCH:
                return forgotten
            after = found[-1]
