"""Recordings in the bucket: their paths, owners and limits."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self, TypeVar
from urllib.parse import parse_qs, quote, unquote, urlsplit

from lumimd.domain.codes import ErrorCode
from lumimd.domain.document import Document
from lumimd.domain.errors import Permanent
from lumimd.domain.ids import is_id, is_user_id
from lumimd.domain.media_types import EXTENSIONS
from lumimd.domain.paths import VISITS

MAX_BYTES: Final = 5 * 1024**3
"""The largest upload (storage.rules)."""

MAX_SECONDS: Final = 10 * 3600
"""The longest total length of all recordings of one visit."""

# `visits/{uid}/{visitId}/{file}`. The ids come from sign-in providers and our clients; ids that
# Firestore reserves (`__.*__`) do not match. Users choose file names: any script and spaces, but no
# slash and no control characters.
_PATH: Final = re.compile(
    rf"{VISITS}/"
    r"(?P<user_id>[!-$&-.0-~]{1,128})/(?P<visit_id>[\w-]{1,128})/"
    r"(?P<file>[^/\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,255}"
    rf"\.(?i:{'|'.join(EXTENSIONS)}))",
    re.ASCII,
)


CONSENT_METADATA: Final = "consent"
"""The key of a recording's custom metadata that states the patient's consent: `consent: given`."""


class Audio(Document):
    """One generation of a recording, with its length and size where they are known."""

    bucket: str
    storage_path: str
    generation: int
    content_type: str
    size_bytes: int | None
    duration_seconds: float | None = None

    @property
    def url(self) -> str:
        """The stable, non-public address of the recording."""
        return f"gs://{self.bucket}/{self.storage_path}"

    @property
    def owner(self) -> str:
        """The user id of the owner, or the whole path if the object is not a recording."""
        owner = recording_of(self.storage_path)
        return owner[0] if owner else self.storage_path

    def is_named_by(self, url: str) -> bool:
        """Whether a signed URL, even an expired one, names this generation of this recording."""
        try:
            parts = urlsplit(url)
        except ValueError:  # the provider's list contains arbitrary URLs
            return False
        wanted = quote(self.storage_path, safe="/~")
        return parts.path.endswith(f"/{self.bucket}/{wanted}") and (
            parse_qs(parts.query).get("generation") == [str(self.generation)]
        )

    def with_size(self, size_bytes: int) -> Self:
        """Return this recording with its size, which the upload event did not contain.

        Raises:
            Permanent: `audio_empty` or `audio_too_large`.
        """
        return UPLOADS.checked(self.model_copy(update={"size_bytes": size_bytes}))

    def with_duration(self, seconds: float | None) -> Self:
        """Return this recording with its length; None means that the length is not known.

        Raises:
            Permanent: `audio_too_short` or `audio_too_long`.
        """
        return UPLOADS.checked(self.model_copy(update={"duration_seconds": seconds}))


AnAudio = TypeVar("AnAudio", bound=Audio)


@dataclass(frozen=True)
class AudioLimits:
    """The limits of recordings that a transcription provider, or this product, accepts."""

    max_bytes: int = MAX_BYTES
    min_seconds: float = 0.160
    max_seconds: float = MAX_SECONDS

    def checked(self, audio: AnAudio) -> AnAudio:
        """Return `audio` if its known size and length are within the limits.

        Raises:
            Permanent: `audio_empty`, `audio_too_large`, `audio_too_short` or `audio_too_long`.
        """
        size, seconds = audio.size_bytes, audio.duration_seconds
        if size == 0:
            raise Permanent(ErrorCode.AUDIO_EMPTY)
        if size is not None and size > self.max_bytes:
            raise Permanent(ErrorCode.AUDIO_TOO_LARGE)
        if seconds is not None and seconds < self.min_seconds:
            raise Permanent(ErrorCode.AUDIO_TOO_SHORT)
        if seconds is not None and seconds > self.max_seconds:
            raise Permanent(ErrorCode.AUDIO_TOO_LONG)
        return audio


UPLOADS: Final = AudioLimits()
"""The limits of this product; the limits of a provider are the same or narrower."""


def is_below(url: str, bucket: str, folder: str) -> bool:
    """Whether a signed URL, even an expired one, names an object below `folder`, with its slash."""
    try:
        path = urlsplit(url).path
    except ValueError:
        return False
    return f"/{bucket}/{quote(folder, safe='/~')}" in path


def named_in(url: str, bucket: str | None) -> str | None:
    """Return the object path in a signed URL, even an expired one; None for another bucket."""
    try:
        path = unquote(urlsplit(url).path)
    except ValueError:
        return None
    _, found, below = path.partition(f"/{bucket}/")
    return below if found else None


def says_consent(metadata: Mapping[str, str] | None) -> bool:
    """Whether the custom metadata of a recording states the patient's consent."""
    return (metadata or {}).get(CONSENT_METADATA) == "given"


class Upload(Document):
    """A finished upload: its owner, visit and recording, and the time of its upload event.

    `consented` means that the recording's metadata states the patient's consent.
    """

    user_id: str
    visit_id: str
    audio: Audio
    announced_at: datetime | None = None
    consented: bool = False


def recording_of(storage_path: str) -> tuple[str, str] | None:
    """Return `(user_id, visit_id)` from a recording's path; None for any other object."""
    match = _PATH.fullmatch(storage_path)
    if match is None or not (is_user_id(match["user_id"]) and is_id(match["visit_id"])):
        return None
    return match["user_id"], match["visit_id"]


def upload_of(audio: Audio, at: datetime | None, *, consented: bool = False) -> Upload | None:
    """Return the upload of `audio`, or None if the object is not a recording."""
    owner = recording_of(audio.storage_path)
    if owner is None:
        return None
    user_id, visit_id = owner
    return Upload(
        user_id=user_id, visit_id=visit_id, audio=audio, announced_at=at, consented=consented
    )
