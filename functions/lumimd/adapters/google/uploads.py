"""The destination of recordings: the bucket, with resumable sessions of Cloud Storage."""

import asyncio
from typing import Any

import requests
from google.api_core import exceptions as api
from google.auth import exceptions as auth
from google.cloud import storage  # type: ignore[attr-defined]  # it ships no types

from lumimd.ports.uploads import UploadPlace
from lumimd.telemetry import logs


class CloudUploads:
    """Opens sessions that accept one recording of the announced type, if none exists yet."""

    def __init__(self, client: storage.Client, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    async def place(self, path: str, content_type: str, origin: str | None) -> UploadPlace:
        """Return the destination, without a session if none can be opened."""

        def session() -> str:
            blob: Any = self._client.bucket(self._bucket).blob(path)
            url: str = blob.create_resumable_upload_session(
                content_type=content_type, origin=origin, if_generation_match=0
            )
            return url

        url: str | None = None
        try:
            url = await asyncio.to_thread(session)
        except (
            api.GoogleAPICallError,
            auth.GoogleAuthError,
            requests.ConnectionError,
            requests.Timeout,
        ) as error:
            logs.failure("no_upload_session", error)
        return UploadPlace(bucket=self._bucket, path=path, content_type=content_type, url=url)
