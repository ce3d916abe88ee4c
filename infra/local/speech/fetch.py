"""Gets a submission's audio by HTTP GET, or from the uploads to this server."""

import asyncio
import shutil
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from infra.local.speech.recognition import RecognitionFailed

UPLOAD_PATH = "/upload/"


class Uploads:
    """Files received by POST /v2/upload, kept in `folder` until the server stops."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def store(self, chunks: AsyncIterator[bytes]) -> str:
        """Write the chunks to a file, and return the path part of the file's URL."""
        name = str(uuid.uuid4())
        with (self._folder / name).open("wb") as file:
            async for chunk in chunks:
                await asyncio.to_thread(file.write, chunk)
        return UPLOAD_PATH + name

    def find(self, url: str) -> Path | None:
        """Return the file for an upload_url of this server, or None for any other URL."""
        path = urlsplit(url).path
        name = path.removeprefix(UPLOAD_PATH)
        if name == path or "/" in name or not name:
            return None
        file = self._folder / name
        return file if file.is_file() else None


class AudioFetcher:
    """Downloads audio. The error messages have AssemblyAI's wording."""

    def __init__(self, client: httpx.AsyncClient, uploads: Uploads) -> None:
        self._client = client
        self._uploads = uploads

    async def download(self, url: str, to: Path) -> None:
        """Download the whole file to `to`. Raises RecognitionFailed."""
        if (uploaded := self._uploads.find(url)) is not None:
            await asyncio.to_thread(shutil.copyfile, uploaded, to)
            return
        async with self._opened(url) as response:
            response.raise_for_status()
            with to.open("wb") as file:
                async for chunk in response.aiter_bytes():
                    await asyncio.to_thread(file.write, chunk)

    async def probe(self, url: str) -> None:
        """Check the file by its first byte. Raises RecognitionFailed, also for an empty file."""
        if (uploaded := self._uploads.find(url)) is not None:
            if uploaded.stat().st_size == 0:
                raise RecognitionFailed(not_audio(b""))
            return
        async with self._opened(url, Range="bytes=0-0") as response:
            # A server responds 416 for an empty file, because no byte is in the range.
            if response.status_code != httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                response.raise_for_status()
                async for chunk in response.aiter_raw():
                    if chunk:
                        return
        raise RecognitionFailed(not_audio(b""))

    @asynccontextmanager
    async def _opened(self, url: str, **headers: str) -> AsyncIterator[httpx.Response]:
        try:
            async with self._client.stream(
                "GET", url, headers=headers, follow_redirects=True
            ) as response:
                yield response
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise RecognitionFailed(
                f"Download error, unable to download {url}. "
                "Please make sure the file exists and is accessible from the internet."
            ) from error


def not_audio(head: bytes) -> str:
    """Return the message for a file without audio; `head`, its beginning, shows the type."""
    if not head:
        kind = "inode/x-empty (empty)"
    elif head.lstrip()[:9].lower().startswith((b"<!doctype", b"<html")):
        kind = "text/html (HTML document)"
    elif head.isascii() and b"\0" not in head:
        kind = "text/plain (ASCII text)"
    else:
        kind = "application/octet-stream (data)"
    return f"File does not appear to contain audio. File type is {kind}."
