"""Recordings in Cloud Storage, measured by range reads and shared by short-lived signed URLs."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, TypeVar

import google.auth
import google.auth.transport.requests
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.api_core import exceptions as api
from google.auth import exceptions as auth
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage  # type: ignore[attr-defined]  # it ships no types
from google.oauth2 import service_account

from lumimd.adapters.google.ranges import Ranges
from lumimd.adapters.google.storage_object import upload_of
from lumimd.adapters.measuring.pool import pool
from lumimd.domain.audio import Audio, Upload
from lumimd.domain.codes import ErrorCode
from lumimd.domain.errors import Permanent, Transient
from lumimd.domain.paths import VISITS
from lumimd.policies import retry
from lumimd.policies.vendor_timeouts import PROVIDER_CHECK_S
from lumimd.ports.health_check import Check, Unhealthy
from lumimd.ports.paging import Cursor, Page

T = TypeVar("T")


class CloudAudioStore:
    """The recordings in Cloud Storage.

    `signing` returns the SDK's arguments for the signer: a key, or the IAM service.

    `uploaded` sends a copy of a recording to the vendor and returns the copy's URL, in place of a
    signed URL.
    """

    def __init__(
        self,
        client: storage.Client,
        *,
        signing: Callable[[], dict[str, Any]],
        endpoint: str | None = None,
        uploaded: Callable[[bytes], Awaitable[str]] | None = None,
    ) -> None:
        self._client = client
        self._uploaded = uploaded
        self._signing = signing
        self._endpoint = endpoint

    async def measure(self, audio: Audio) -> Audio:
        """Return the recording with its duration.

        This process reads the bytes, and another process measures them.
        """
        if audio.size_bytes is None:
            audio = audio.with_size(await _in_thread(lambda: self._size_of(audio)))
        size_bytes = audio.size_bytes or 0

        async def once() -> float | None:
            ranges = Ranges(self._blob(audio))
            with _translated_errors():
                measured = await pool().measure(audio.owner, size_bytes, ranges.read)
            return measured.seconds

        seconds = await retry.call(retry.MEASURE, ErrorCode.INTERNAL_ERROR, once)
        return audio.with_duration(seconds)

    async def signed_url(self, audio: Audio, valid_for: timedelta) -> str:
        """Return a v4 signed URL for exactly this generation, or the URL of its uploaded copy."""
        if self._uploaded is not None:
            blob = self._blob(audio)
            content = await _in_thread(lambda: bytes(blob.download_as_bytes(retry=None)))
            return await self._uploaded(content)

        def sign() -> str:
            url: str = self._blob(audio).generate_signed_url(
                version="v4",
                method="GET",
                expiration=valid_for,
                generation=audio.generation,
                api_access_endpoint=self._endpoint,
                **self._signing(),
            )
            return url

        return await _in_thread(sign)

    async def has(self, bucket: str, folder: str) -> bool:
        """Return whether any object exists below `folder`, from one page of one object."""

        def look() -> bool:
            found = self._client.list_blobs(bucket, prefix=folder, max_results=1, retry=None)
            return any(True for _ in found)

        return await _in_thread(look)

    async def uploads(
        self, bucket: str, since: datetime, after: Cursor | None = None
    ) -> Page[Upload]:
        """Return the recordings uploaded since then, from one page of 1,000 objects."""

        def look() -> Page[Upload]:
            found = self._client.list_blobs(
                bucket, prefix=f"{VISITS}/", page_token=after.id if after else None, retry=None
            )
            page = next(found.pages, ())
            uploads = (_upload(blob) for blob in page if (blob.time_created or since) >= since)
            recordings = tuple(upload for upload in uploads if upload is not None)
            token = found.next_page_token
            return Page(recordings, Cursor(None, token) if token else None)

        return await _in_thread(look)

    async def hold(self, bucket: str, folder: str, *, held: bool) -> int:
        """Set or release the object hold (temporary hold) of everything below `folder`.

        The bucket's lifecycle rules do not delete an object under an object hold.
        """

        def change() -> int:
            found = self._client.list_blobs(bucket, prefix=folder, versions=True, retry=None)
            changed = 0
            for blob in found:
                if bool(blob.temporary_hold) is not held:
                    blob.temporary_hold = held
                    try:
                        blob.patch(retry=None)
                    except api.NotFound:
                        continue
                changed += 1
            return changed

        try:
            return await _in_thread(change)
        except Permanent:  # the bucket does not exist, so it holds no object
            return 0

    async def erase(self, bucket: str, folder: str, up_to: int | None = None) -> int:
        """Delete all objects below `folder` up to the generation `up_to`, older generations too."""

        def delete() -> tuple[int, int]:
            found = self._client.list_blobs(bucket, prefix=folder, versions=True, retry=None)
            erased = kept = 0
            for blob in found:
                if up_to is not None and blob.generation > up_to:
                    continue
                try:
                    kept += not _deleted(blob)
                except api.NotFound:
                    continue
                erased += 1
            return erased - kept, kept

        try:
            erased, kept = await _in_thread(delete)
        except Permanent:  # the bucket does not exist, so it holds no object
            return 0
        if kept:
            raise Transient(ErrorCode.INTERNAL_ERROR)
        return erased

    def _size_of(self, audio: Audio) -> int:
        blob = self._blob(audio)
        blob.reload(retry=None)
        return blob.size or 0

    def _blob(self, audio: Audio) -> storage.Blob:
        bucket = self._client.bucket(audio.bucket)
        return bucket.blob(audio.storage_path, generation=audio.generation)


def _deleted(blob: storage.Blob) -> bool:
    """Delete an object without an object hold; return whether it was deleted.

    A concurrent hold makes the deletion fail.
    """
    if blob.temporary_hold:
        return False
    try:
        blob.delete(retry=None)
    except api.Forbidden:
        blob.reload(retry=None)
        if not blob.temporary_hold:
            raise  # there is no object hold, so the permission to delete is missing
        return False
    return True


def _upload(blob: storage.Blob) -> Upload | None:
    """Read a listed object as leniently as the event of the same object."""
    listed = {
        "bucket": blob.bucket.name,
        "name": blob.name,
        "generation": blob.generation,
        "contentType": blob.content_type,
        "size": blob.size,
        "metadata": blob.metadata,
    }
    return upload_of(listed, blob.time_created)


@contextmanager
def _translated_errors() -> Iterator[None]:
    """Translate the SDK's errors into those of `AudioStore`."""
    try:
        yield
    except api.NotFound as error:
        raise Permanent(ErrorCode.AUDIO_MISSING) from error
    except (
        api.ServerError,
        api.TooManyRequests,
        auth.TransportError,
        requests.ConnectionError,
        requests.Timeout,
    ) as error:
        raise Transient(ErrorCode.INTERNAL_ERROR) from error


async def _in_thread(work: Callable[[], T]) -> T:
    """Run synchronous work of the SDK in a thread."""

    async def once() -> T:
        with _translated_errors():
            return await asyncio.to_thread(work)

    make: Callable[[], Awaitable[T]] = once
    return await retry.call(retry.AUDIO, ErrorCode.INTERNAL_ERROR, make)


def storage_client(project: str, emulator_host: str | None) -> storage.Client:
    """Return the client for the cloud, or for a server at `emulator_host` (a URL)."""
    if emulator_host is None:
        return storage.Client(project=project)
    anonymous: Any = AnonymousCredentials
    return storage.Client(
        project=project,
        credentials=anonymous(),
        client_options={"api_endpoint": emulator_host},
    )


def cloud_audio_store(
    project: str,
    emulator_host: str | None,
    uploaded: Callable[[bytes], Awaitable[str]] | None = None,
) -> CloudAudioStore:
    """Return the store for the cloud, or for a server at `emulator_host` (a URL)."""
    client = storage_client(project, emulator_host)
    if emulator_host is None:
        return CloudAudioStore(client, signing=_signed_by_iam, uploaded=uploaded)
    key = {"credentials": _throw_away_key()}
    return CloudAudioStore(client, signing=lambda: key, endpoint=emulator_host, uploaded=uploaded)


def bucket_check(client: storage.Client, bucket: str) -> Check:
    """Return a check that the bucket of the recordings exists."""

    async def check() -> str:
        found = await asyncio.to_thread(
            lambda: client.bucket(bucket).exists(timeout=PROVIDER_CHECK_S, retry=None)
        )
        if not found:
            raise Unhealthy("there is no such bucket")
        return "the bucket is there"

    return check


def _signed_by_iam() -> dict[str, Any]:
    """Return arguments to sign by the IAM service, because a function has no key of its own."""
    credentials: Any
    credentials, _ = google.auth.default(scopes=["https://www.googleapis.com/auth/cloud-platform"])
    credentials.refresh(google.auth.transport.requests.Request())
    return {
        "service_account_email": credentials.service_account_email,
        "access_token": credentials.token,
    }


def _throw_away_key() -> Any:
    """Make a throw-away key, because a local server requires a signature, by any key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    read: Any = service_account.Credentials.from_service_account_info
    return read(
        {
            "client_email": "local@lumimd.invalid",
            "private_key": pem.decode(),
            "token_uri": "https://lumimd.invalid/token",
        }
    )
