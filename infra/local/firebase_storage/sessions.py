"""Resumable uploads in progress; a file keeps the bytes that each upload has received."""

import secrets
from collections.abc import AsyncIterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.local.firebase_storage.access import Upload


@dataclass
class Session:
    """One upload. `final` is the object's metadata once the object is stored."""

    id: str
    user_id: str
    announced: Upload
    custom: dict[str, str]
    file: Path
    received: int = 0
    final: dict[str, Any] | None = None

    async def append(self, offset: int, pieces: AsyncIterable[bytes]) -> None:
        """Add the received bytes to the file.

        If the connection breaks, the bytes that arrived are kept. The client asks for their number.

        Raises:
            ValueError: bytes before `offset` are missing, or the piece has arrived already.
        """
        if offset != self.received:
            raise ValueError("the piece does not begin at the end of the last one")
        with self.file.open("ab") as file:
            async for piece in pieces:
                file.write(piece)
                self.received += len(piece)


class Sessions:
    """The uploads of this process. Upload URLs are unguessable, so they need no authorization."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sessions: dict[str, Session] = {}

    def open(self, user_id: str, announced: Upload, custom: dict[str, str]) -> Session:
        """Start an upload."""
        session_id = secrets.token_urlsafe(24)
        file = self._folder / session_id
        file.touch()
        session = Session(session_id, user_id, announced, custom, file)
        self._sessions[session_id] = session
        return session

    def get(self, session_id: str) -> Session | None:
        """Return the upload with that id, or None."""
        return self._sessions.get(session_id)

    def finish(self, session: Session, final: dict[str, Any]) -> None:
        """Record that the object is stored. The session remains, to answer the client's queries."""
        session.final = final
        session.file.unlink(missing_ok=True)

    def drop(self, session: Session) -> None:
        """Forget an upload that was cancelled or refused."""
        self._sessions.pop(session.id, None)
        session.file.unlink(missing_ok=True)
