"""The port that gives clients a destination for an upload."""

from typing import Protocol

from lumimd.domain.audio import MAX_BYTES
from lumimd.domain.document import Document
from lumimd.domain.media_types import TYPES, essence
from lumimd.domain.paths import recordings_folder


class UploadPlace(Document):
    """The destination of an upload, by `path` or by `url`; the client chooses.

    `url` is a resumable session of Cloud Storage for one recording (PUT with RFC 7233 ranges), or
    None if no session could be opened. The Firebase SDK needs only `path`.
    """

    bucket: str
    path: str
    content_type: str
    max_bytes: int = MAX_BYTES
    url: str | None = None


class Uploads(Protocol):
    """Gives clients a destination for an upload to the bucket of the recordings."""

    async def place(self, path: str, content_type: str, origin: str | None) -> UploadPlace:
        """Return the destination of an upload.

        `origin` is the uploading web page, if any, which the bucket's CORS requires. An adapter
        that cannot open a session returns only the path, so that the client can still record.
        """
        ...


def recording_path(user_id: str, visit_id: str, content_type: str) -> str:
    """Return the path for the recording of a visit (`audio.recording_of` parses the path).

    `content_type` may have parameters; without parameters it is one of `TYPES`.
    """
    return f"{recordings_folder(user_id, visit_id)}audio.{TYPES[essence(content_type)]}"
