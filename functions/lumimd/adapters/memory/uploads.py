"""Upload destinations in memory that consist of a path alone."""

import asyncio

from lumimd.ports.uploads import UploadPlace


class MemoryUploads:
    """Returns upload destinations without opening sessions."""

    def __init__(self, bucket: str = "recordings") -> None:
        self.bucket = bucket

    async def place(self, path: str, content_type: str, origin: str | None) -> UploadPlace:
        """Return the destination."""
        await asyncio.sleep(0)
        return UploadPlace(bucket=self.bucket, path=path, content_type=content_type)
