"""A bucket of recordings in memory."""

import asyncio
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import quote

from lumimd.adapters.measuring.pool import pool
from lumimd.domain.audio import Audio, Upload, upload_of
from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import Permanent, Transient
from lumimd.ports.paging import Cursor, Page

PAGE: Final = 1_000
"""Objects per page of the listing, as in Cloud Storage."""


class MemoryAudioStore:
    """Recordings in memory, by path and generation."""

    def __init__(self, bucket: str = "recordings") -> None:
        self.bucket = bucket
        self._content: dict[tuple[str, int], bytes] = {}
        self._uploads: dict[str, Upload | None] = {}
        self.held: set[tuple[str, int]] = set()

    def put(self, audio: Audio, content: bytes, at: datetime | None = None) -> None:
        """Store a recording, uploaded at `at`."""
        self._content[audio.storage_path, audio.generation] = content
        self._uploads[audio.storage_path] = upload_of(audio, at)

    async def has(self, bucket: str, folder: str) -> bool:
        """Return whether any object exists below `folder`."""
        await asyncio.sleep(0)
        return any(path.startswith(folder) for path, _ in self._content)

    async def uploads(
        self, bucket: str, since: datetime, after: Cursor | None = None
    ) -> Page[Upload]:
        """Return recordings put since then, among the next `PAGE` objects by path."""
        await asyncio.sleep(0)
        paths = sorted(path for path in self._uploads if after is None or path > after.id)[:PAGE]
        found = (self._uploads[path] for path in paths)
        cursor = Cursor(None, paths[-1]) if len(paths) == PAGE else None
        return Page(
            tuple(up for up in found if up and up.announced_at and up.announced_at >= since),
            cursor,
        )

    async def hold(self, bucket: str, folder: str, *, held: bool) -> int:
        """Set or release the object hold of all objects below `folder`."""
        await asyncio.sleep(0)
        below = {key for key in self._content if key[0].startswith(folder)}
        self.held = self.held | below if held else self.held - below
        return len(below)

    async def erase(self, bucket: str, folder: str, up_to: int | None = None) -> int:
        """Delete all objects below `folder` up to the generation `up_to`."""
        await asyncio.sleep(0)
        below = {key for key in self._content if key[0].startswith(folder)}
        meant = {key for key in below if up_to is None or key[1] <= up_to}
        erased = meant - self.held
        for key in erased:
            del self._content[key]
        for path in {path for path, _ in erased} - {path for path, _ in self._content}:
            self._uploads.pop(path, None)
        if erased != meant:
            raise Transient(ErrorCode.INTERNAL_ERROR)
        return len(erased)

    async def measure(self, audio: Audio) -> Audio:
        """Return the recording with its duration."""
        content = self._content.get((audio.storage_path, audio.generation))
        if content is None:
            raise Permanent(ErrorCode.AUDIO_MISSING)
        if audio.size_bytes is None:
            audio = audio.with_size(len(content))

        def read(offset: int, length: int) -> bytes:
            return content[offset : offset + length]

        measured = await pool().measure(audio.owner, len(content), read)
        return audio.with_duration(measured.seconds)

    async def signed_url(self, audio: Audio, valid_for: timedelta) -> str:
        """Return a URL in the shape of the real one; no server serves it."""
        await asyncio.sleep(0)
        seconds = int(valid_for.total_seconds())
        path = quote(audio.storage_path, safe="/~")
        query = f"generation={audio.generation}&X-Goog-Expires={seconds}&X-Goog-Signature=0"
        return f"https://storage.invalid/{self.bucket}/{path}?{query}"
