"""The port to the bucket of the recordings."""

from datetime import datetime, timedelta
from typing import Protocol

from lumimd.domain.audio import Audio, Upload
from lumimd.ports.paging import Cursor, Page


class AudioStore(Protocol):
    """The bucket of the recordings."""

    async def measure(self, audio: Audio) -> Audio:
        """Return `audio` with its duration, or without a duration if reading it costs too much.

        Raises:
            MeasuringDied: the process that read the duration crashed.
            Permanent: `audio_missing`, `audio_unreadable`, `audio_truncated`, `audio_too_short`
                or `audio_too_long`.
        """
        ...

    async def signed_url(self, audio: Audio, valid_for: timedelta) -> str:
        """Return a URL of this generation of the recording, which expires after `valid_for`."""
        ...

    async def has(self, bucket: str, folder: str) -> bool:
        """Whether any object exists below `folder`, which ends with a slash."""
        ...

    async def uploads(
        self, bucket: str, since: datetime, after: Cursor | None = None
    ) -> Page[Upload]:
        """Return the recordings among the next objects of the bucket, uploaded since `since`.

        `announced_at` is the time of the upload. A page without recordings may be followed by a
        page with recordings.
        """
        ...

    async def hold(self, bucket: str, folder: str, *, held: bool) -> int:
        """Set or release the object hold of all objects below `folder`, and return their number.

        No caller and no lifecycle rule can delete or replace an object under an object hold.
        """
        ...

    async def erase(self, bucket: str, folder: str, up_to: int | None = None) -> int:
        """Delete all objects below `folder` (with its slash at the end), and return their number.

        With `up_to`, only this generation and older generations are deleted.

        Raises:
            Transient: an object is under an object hold; all other objects are deleted.
        """
        ...
