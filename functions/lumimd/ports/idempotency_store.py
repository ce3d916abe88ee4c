"""The stored answers to requests with an Idempotency-Key: a repeated request gets the same answer.

Pure except for the port: the stored answer, and the lease on an answer in progress.
"""

from datetime import datetime
from hashlib import sha256
from typing import Protocol

from lumimd.domain.document import Document


class Answer(Document):
    """The answer to a key, or the lease of the request that makes the answer.

    `fingerprint` tells the request from another one under the same key. `status` is None while the
    answer is in progress. `body` may hold words of the user: `IdempotencyStore.forget` removes it.
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
        """Whether a request may still be making the answer."""
        return self.status is None and self.until > now


def key_of(user_id: str, idempotency_key: str) -> str:
    """The stored key of a user: no key of a user leads to an answer of another user."""
    return sha256(f"{user_id}/{idempotency_key}".encode()).hexdigest()


class IdempotencyStore(Protocol):
    """The stored answers. Every save is a compare-and-set on the version that was read."""

    async def get(self, key: str) -> tuple[Answer, object] | None:
        """The answer to a key, and its version; None if there is none."""
        ...

    async def save(self, read_version: object | None, answer: Answer) -> object:
        """Write an answer by compare-and-set (None: the key was free).

        Raises:
            Conflict: it has changed since the read.
        """
        ...

    async def remove(self, read_version: object, answer: Answer) -> None:
        """Remove an answer by compare-and-set.

        Raises:
            Conflict: it has changed since the read.
        """
        ...

    async def forget(self, user_id: str, naming: str | None = None) -> int:
        """Remove all answers to a user, or those that contain an id; the number removed."""
        ...
