"""The responses stored under idempotency keys: `idempotencyKeys/{key}`, TTL on `expiresAt`."""

from datetime import datetime
from hashlib import sha256
from typing import Final

from lumimd.domain.document import Document
from lumimd.domain.paths import IDEMPOTENCY_KEYS
from lumimd.ports.database import Database, Query, Write
from lumimd.ports.paging import Cursor
from lumimd.stores.shared_documents import SharedDocuments

_BATCH: Final = 500


class Answer(Document):
    """The response stored under a key, or the lease of the request that makes the response.

    `fingerprint` distinguishes the request from another request under the same key. `status` is
    None while the response is in progress. `body` may hold words of the user;
    `IdempotencyStore.forget` removes it.
    """

    key: str
    user_id: str
    fingerprint: str
    until: datetime
    expires_at: datetime
    holder: str
    status: int | None = None
    body: str = ""

    def is_worked_on(self, now: datetime) -> bool:
        """Whether a request may still be making the response."""
        return self.status is None and self.until > now


def key_of(user_id: str, idempotency_key: str) -> str:
    """Return the stored key: a hash with the user id, so that users never share a response."""
    return sha256(f"{user_id}/{idempotency_key}".encode()).hexdigest()


class IdempotencyStore:
    """The stored responses. Every save is a compare-and-set on the version that was read."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._answers = SharedDocuments(database, IDEMPOTENCY_KEYS, Answer)

    async def get(self, key: str) -> tuple[Answer, object] | None:
        """Return the response to a key and its version, or None."""
        return await self._answers.get(key)

    async def save(self, read_version: object | None, answer: Answer) -> object:
        """Write a response by compare-and-set (version None: the key was free).

        Raises:
            Conflict: the response has changed since the read.
        """
        return await self._answers.save(answer.key, read_version, answer)

    async def remove(self, read_version: object, answer: Answer) -> None:
        """Remove a response by compare-and-set.

        Raises:
            Conflict: the response has changed since the read.
        """
        path = f"{IDEMPOTENCY_KEYS}/{answer.key}"
        await self._database.commit(Write(path, None, read_version))

    async def forget(self, user_id: str, naming: str | None = None) -> int:
        """Remove all responses to a user, or only those that contain the id `naming`.

        Returns the number of removed responses. Costs one read per response to the user, and one
        write per removed response.
        """
        query = Query(IDEMPOTENCY_KEYS, fields=("body",)).where("userId", "==", user_id)
        forgotten, after = 0, None
        while True:
            found = await self._database.find(query, _BATCH, after)
            going = [
                Write(f"{IDEMPOTENCY_KEYS}/{each.id}", None)
                for each in found
                if naming is None or naming in (each.fields["body"] or "")
            ]
            if going:
                await self._database.commit(*going)
            forgotten += len(going)
            if len(found) < _BATCH:
                return forgotten
            after = Cursor(None, found[-1].id)
