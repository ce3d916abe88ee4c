"""Where a recording is to be uploaded."""

from typing import Protocol

from lumimd.domain.audio import MAX_BYTES
from lumimd.domain.document import Document
from lumimd.domain.media_types import TYPES, essence


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
    """Where the recording of a visit belongs (`audio.recording_of` reads it back).

    `content_type` may carry parameters; its essence is one of `TYPES`.
    """
    return f"visits/{user_id}/{visit_id}/audio.{TYPES[essence(content_type)]}"
