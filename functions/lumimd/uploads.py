"""Where a recording is to be uploaded."""

from collections.abc import Mapping
from typing import Final, Protocol

from lumimd.audio import MAX_BYTES
from lumimd.document import Document

EXTENSIONS: Final[Mapping[str, str]] = {
    "audio/mp4": "m4a",
    "audio/x-m4a": "m4a",
    "audio/mpeg": "mp3",
    "audio/aac": "aac",
    "audio/ogg": "ogg",
    "audio/opus": "opus",
    "audio/webm": "webm",
    "audio/flac": "flac",
    "audio/wav": "wav",
    "audio/3gpp": "3gp",
    "video/mp4": "mp4",
}
"""The types of recordings that a client may announce, and the extensions that we give them."""


class UploadPlace(Document):
    """Where to upload, by whichever way the client likes: by path or by `url`.

    `url` is a resumable session of Cloud Storage (PUT the recording there, RFC 7233 ranges), good
    for one recording; None where none could be opened. With the Firebase SDK, `path` is enough.
    """

    bucket: str
    path: str
    content_type: str
    max_bytes: int = MAX_BYTES
    url: str | None = None


class Uploads(Protocol):
    """Whoever knows the bucket of the recordings."""

    async def place(self, path: str, content_type: str, origin: str | None) -> UploadPlace:
        """Where to upload. `origin` is the web page that will, if any: the bucket's CORS wants it.

        A session that cannot be opened is left out: nobody is kept from recording for its sake.
        """
        ...


def recording_path(user_id: str, visit_id: str, content_type: str) -> str:
    """Where the recording of a visit belongs (`audio.recording_of` reads it back)."""
    return f"visits/{user_id}/{visit_id}/audio.{EXTENSIONS[content_type]}"
