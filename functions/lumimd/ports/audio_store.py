"""The recordings."""

from datetime import datetime, timedelta
from typing import Protocol

from lumimd.domain.audio import Audio, Upload
from lumimd.ports.paging import Cursor, Page


class AudioStore(Protocol):
    """The recordings."""

    async def measure(self, audio: Audio) -> Audio:
        """`audio` with its duration, read from the recording itself; None where that is too costly.

        Raises:
            MeasuringDied: the process that had opened it is gone.
            Permanent: `audio_missing`, `audio_unreadable`, `audio_truncated`, `audio_too_short`
                or `audio_too_long`.
        """
        ...

    async def signed_url(self, audio: Audio, valid_for: timedelta) -> str:
        """A URL that leads to this generation of the recording and expires."""
        ...

    async def has(self, bucket: str, folder: str) -> bool:
        """Whether there is anything below `folder`, which ends with a slash."""
        ...

    async def uploads(
        self, bucket: str, since: datetime, after: Cursor | None = None
    ) -> Page[Upload]:
        """Of the next objects of the bucket, the recordings that were uploaded since then.

        `announced_at` is when they were. A page without any says nothing of those that follow.
        """
        ...

    async def hold(self, bucket: str, folder: str, *, held: bool) -> int:
        """Put everything below `folder` under object hold, or end that; how many objects.

        An object under hold is neither deleted nor replaced, by anybody or any rule of the bucket.
        """
        ...

    async def erase(self, bucket: str, folder: str, up_to: int | None = None) -> int:
        """Delete everything below `folder` (which ends with a slash); how many objects.

        `up_to`: only what is of that generation, or older.

        Raises:
            Transient: something is under object hold; all the rest is deleted.
        """
        ...
