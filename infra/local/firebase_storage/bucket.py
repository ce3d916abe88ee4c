"""The bucket in which clients create each object once, and from which clients read."""

from typing import Any, BinaryIO

from google.api_core.exceptions import NotFound
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage  # type: ignore[attr-defined]  # storage has no types

from infra.local.firebase_storage.access import Upload
from infra.local.stack import PROJECT


class Bucket:
    """A bucket in the local stand-in for Cloud Storage. Every method blocks."""

    def __init__(self, url: str, name: str) -> None:
        anonymous: Any = AnonymousCredentials
        sdk = storage.Client(
            project=PROJECT, credentials=anonymous(), client_options={"api_endpoint": url}
        )
        self.name = name
        self._bucket = sdk.bucket(name)

    def create(self, upload: Upload, content: BinaryIO, custom: dict[str, str]) -> dict[str, Any]:
        """Store the object and return its metadata.

        Raises:
            PreconditionFailed: the object exists already.
        """
        blob = self._bucket.blob(upload.path)
        blob.metadata = custom or None
        blob.upload_from_file(
            content,
            rewind=True,
            size=upload.size,
            content_type=upload.content_type,
            if_generation_match=0,
        )
        return _metadata(blob)

    def metadata(self, path: str) -> dict[str, Any] | None:
        """Return the object's metadata in Firebase's format, or None if there is no such object."""
        blob = self._bucket.get_blob(path)
        return None if blob is None else _metadata(blob)

    def content(self, path: str) -> tuple[bytes, str] | None:
        """Return the object's bytes and content type, or None if there is no such object."""
        blob = self._bucket.blob(path)
        try:
            return blob.download_as_bytes(), blob.content_type or "application/octet-stream"
        except NotFound:
            return None


def _metadata(blob: Any) -> dict[str, Any]:
    """Return the metadata without `downloadTokens`, as this server has no links without sign-in."""
    return {
        "name": blob.name,
        "bucket": blob.bucket.name,
        "generation": str(blob.generation),
        "metageneration": str(blob.metageneration),
        "contentType": blob.content_type,
        "size": str(blob.size),
        "md5Hash": blob.md5_hash,
        "timeCreated": blob.time_created.isoformat() if blob.time_created else None,
        "updated": blob.updated.isoformat() if blob.updated else None,
        "metadata": blob.metadata or {},
    }
