"""Resumable uploads in progress: a file keeps the received bytes of each."""

import secrets
from collections.abc import AsyncIterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.local.firebase_storage.access import Upload


@dataclass
class Session:
    """One upload. `final` is the object's metadata once it is stored."""

    id: str
    user_id: str
    announced: Upload
    custom: dict[str, str]
    file: Path
    received: int = 0
    final: dict[str, Any] | None = None

    async def append(self, offset: int, pieces: AsyncIterable[bytes]) -> None:
        """Keep the received bytes, also of a broken connection: the client asks for their number.

        Raises:
            ValueError: bytes before the piece are missing, or the piece has arrived already.
        """
        if offset != self.received:
            raise ValueError("the piece does not begin at the end of the last one")
        with self.file.open("ab") as file:
            async for piece in pieces:
                file.write(piece)
                self.received += len(piece)


class Sessions:
    """The uploads of this process. Their URLs are unguessable and need no further authorization."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sessions: dict[str, Session] = {}

    def open(self, user_id: str, announced: Upload, custom: dict[str, str]) -> Session:
        """A new upload."""
        session_id = secrets.token_urlsafe(24)
        file = self._folder / session_id
        file.touch()
        session = Session(session_id, user_id, announced, custom, file)
        self._sessions[session_id] = session
        return session

    def get(self, session_id: str) -> Session | None:
        """The upload with that id."""
        return self._sessions.get(session_id)

    def finish(self, session: Session, final: dict[str, Any]) -> None:
        """Record that the upload is an object. The session stays to answer the client's queries."""
        session.final = final
        session.file.unlink(missing_ok=True)

    def drop(self, session: Session) -> None:
        """Forget an upload that was cancelled or refused."""
        self._sessions.pop(session.id, None)
        session.file.unlink(missing_ok=True)
