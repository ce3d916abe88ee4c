"""The destination of an upload."""

from typing import Protocol

from lumimd.domain.audio import MAX_BYTES
from lumimd.domain.document import Document
from lumimd.domain.media_types import TYPES, essence
from lumimd.domain.paths import recordings_folder


class UploadPlace(Document):
    """The destination of an upload, by `path` or by `url`; the client chooses.

    `url` is a resumable session of Cloud Storage (PUT the recording there, RFC 7233 ranges), good
    for one recording; None if no session could be opened. The Firebase SDK needs only `path`.
    """

    bucket: str
    path: str
    content_type: str
    max_bytes: int = MAX_BYTES
    url: str | None = None


class Uploads(Protocol):
    """Gives clients a destination in the bucket of the recordings."""

    async def place(self, path: str, content_type: str, origin: str | None) -> UploadPlace:
        """The destination. `origin`: the uploading web page, if any; the bucket's CORS requires it.

        An adapter that cannot open a session omits it, so that the client can still record.
        """
        ...


def recording_path(user_id: str, visit_id: str, content_type: str) -> str:
    """The path of the recording of a visit (`audio.recording_of` parses it).

    `content_type` may carry parameters; its essence is one of `TYPES`.
    """
    return f"{recordings_folder(user_id, visit_id)}audio.{TYPES[essence(content_type)]}"
