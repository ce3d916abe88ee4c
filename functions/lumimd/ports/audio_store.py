"""The recordings."""

from datetime import datetime, timedelta
from typing import Protocol

from lumimd.domain.audio import Audio, Upload
from lumimd.ports.paging import Cursor, Page


class AudioStore(Protocol):
    """The recordings."""

    async def measure(self, audio: Audio) -> Audio:
        """`audio` with its duration, read from the recording; None if reading costs too much.

        Raises:
            MeasuringDied: the measuring process that opened the recording died.
            Permanent: `audio_missing`, `audio_unreadable`, `audio_truncated`, `audio_too_short`
                or `audio_too_long`.
        """
        ...

    async def signed_url(self, audio: Audio, valid_for: timedelta) -> str:
        """A URL of this generation of the recording; it expires after `valid_for`."""
        ...

    async def has(self, bucket: str, folder: str) -> bool:
        """Whether any object exists below `folder`, which ends with a slash."""
        ...

    async def uploads(
        self, bucket: str, since: datetime, after: Cursor | None = None
    ) -> Page[Upload]:
        """The recordings among the next objects of the bucket that were uploaded since `since`.

        `announced_at` is the time of the upload. Recordings may follow a page without any.
        """
        ...

    async def hold(self, bucket: str, folder: str, *, held: bool) -> int:
        """Set or release the object hold of everything below `folder`; the number of objects.

        No caller and no lifecycle rule can delete or replace an object under hold.
        """
        ...

    async def erase(self, bucket: str, folder: str, up_to: int | None = None) -> int:
        """Delete everything below `folder`, which ends with a slash; the number of objects.

        `up_to`: delete only this generation and older ones.

        Raises:
            Transient: an object is under hold; all the others are deleted.
        """
        ...
