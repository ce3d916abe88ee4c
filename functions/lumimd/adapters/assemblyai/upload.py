"""Sends a recording to AssemblyAI by upload, for a bucket that the provider cannot reach.

For a local bucket and a real key. An uploaded copy has a URL of its own, so `find` cannot recognize
an order after a lost answer in the provider's list: the cloud uses signed URLs.
"""

from datetime import datetime, timedelta

from assemblyai.api import ENDPOINT_UPLOAD as UPLOADS

from lumimd.adapters.assemblyai.fields import json_object, text_of
from lumimd.adapters.assemblyai.transcriber import called, http_client
from lumimd.adapters.google.storage import CloudAudioStore
from lumimd.domain import errors
from lumimd.domain.audio import Audio, Upload
from lumimd.domain.codes import ErrorCode
from lumimd.policies import retry
from lumimd.ports.paging import Cursor, Page


class UploadedAudioStore:
    """Recordings in a bucket; the provider gets copies."""

    def __init__(self, store: CloudAudioStore, *, api_key: str, base_url: str) -> None:
        self._store = store
        self._client = http_client(api_key, base_url)

    async def measure(self, audio: Audio) -> Audio:
        """The recording with its duration."""
        return await self._store.measure(audio)

    async def has(self, bucket: str, folder: str) -> bool:
        """Whether any object exists below `folder`."""
        return await self._store.has(bucket, folder)

    async def uploads(
        self, bucket: str, since: datetime, after: Cursor | None = None
    ) -> Page[Upload]:
        """The recordings uploaded since then."""
        return await self._store.uploads(bucket, since, after)

    async def hold(self, bucket: str, folder: str, *, held: bool) -> int:
        """Set or release the object hold of everything below `folder`."""
        return await self._store.hold(bucket, folder, held=held)

    async def erase(self, bucket: str, folder: str, up_to: int | None = None) -> int:
        """Delete the recordings; the provider's copies expire by its own rules."""
        return await self._store.erase(bucket, folder, up_to)

    async def signed_url(self, audio: Audio, valid_for: timedelta) -> str:
        """The URL of a copy that only the provider can read; the provider decides its expiry."""
        content = await self._store.read(audio)

        async def make() -> str:
            response = await self._client.http_client.post(UPLOADS, content=content)
            url = text_of(json_object(response.content).get("upload_url"))
            if not url:
                raise errors.Unreadable(ErrorCode.TRANSCRIPTION_UNAVAILABLE)
            return url

        return await called(retry.AUDIO, make)
