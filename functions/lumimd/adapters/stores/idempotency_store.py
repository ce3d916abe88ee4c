"""The stored answers: `idempotencyKeys/{key}`, expired by TTL on `expiresAt`."""

from typing import Final

from lumimd.adapters.stores.shared_documents import KeyedDocuments
from lumimd.domain.paths import IDEMPOTENCY_KEYS
from lumimd.ports.database import Database, Query, Write
from lumimd.ports.idempotency_store import Answer
from lumimd.ports.paging import Cursor

_BATCH: Final = 500


class DocumentIdempotencyStore:
    """Answers by key."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._answers = KeyedDocuments(database, IDEMPOTENCY_KEYS, Answer)

    async def get(self, key: str) -> tuple[Answer, object] | None:
        return await self._answers.get(key)

    async def save(self, read_version: object | None, answer: Answer) -> object:
        return await self._answers.save(answer.key, read_version, answer)

    async def remove(self, read_version: object, answer: Answer) -> None:
        path = f"{IDEMPOTENCY_KEYS}/{answer.key}"
        await self._database.commit(Write(path, None, read_version))

    async def forget(self, user_id: str, naming: str | None = None) -> int:
        """One read per answer of the user, and one write per removed answer."""
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
