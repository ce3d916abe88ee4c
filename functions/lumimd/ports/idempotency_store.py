"""The answers to requests that carry an Idempotency-Key, kept so that a repetition gets the same.

Pure but for the port: what a kept answer is, and who may work on one that is not there yet.
"""

from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final, Protocol

from lumimd.domain.document import Document

KEPT_FOR: Final = timedelta(hours=24)
"""As long as a phone may be offline and repeat itself; then Firestore's TTL removes the answer."""

WORKED_ON_FOR: Final = timedelta(minutes=2)
"""Longer than any request takes. Whoever holds a key for so long is gone, and another may try."""


class Answer(Document):
    """What was answered under a key, or who is working on it.

    `fingerprint` tells the request from another one under the same key. `status` is None while the
    answer is being made. `body` may hold words of the user: `AnswerStore.forget` removes it.
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
        """Whether somebody may still be making the answer."""
        return self.status is None and self.until > now


def key_of(user_id: str, idempotency_key: str) -> str:
    """The key of a user: nobody finds another's answer, whatever keys they choose."""
    return sha256(f"{user_id}/{idempotency_key}".encode()).hexdigest()


class IdempotencyStore(Protocol):
    """The kept answers. Every save is conditional on the version that was read."""

    async def get(self, key: str) -> tuple[Answer, object] | None:
        """The answer under a key, and its version; None when there is none."""
        ...

    async def save(self, read_version: object | None, answer: Answer) -> object:
        """Write an answer that is still as it was read (None: that was not there).

        Raises:
            Conflict: it is not.
        """
        ...

    async def remove(self, read_version: object, answer: Answer) -> None:
        """Remove an answer that is still as it was read.

        Raises:
            Conflict: it is not.
        """
        ...

    async def forget(self, user_id: str, naming: str | None = None) -> int:
        """Remove every answer given to a user, or those that name an id; how many there were."""
        ...
