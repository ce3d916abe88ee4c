"""Read an object of Cloud Storage in ranges that grow during sequential reads."""

from typing import Final

from google.api_core import exceptions as api
from google.cloud import storage  # type: ignore[attr-defined]  # it ships no types

FIRST_BYTES: Final = 512 * 1024
"""The size of the first range; it covers the index of most recordings and wastes few bytes."""

MOST_BYTES: Final = 8 * 1024**2
"""The largest size of a range; transferring some megabytes takes as long as the request itself."""


class Ranges:
    """The bytes of one generation of an object; not thread-safe."""

    def __init__(self, blob: storage.Blob) -> None:
        self._blob = blob
        self._begins = 0
        self._window = b""
        self._next_bytes = FIRST_BYTES

    def read(self, offset: int, length: int) -> bytes:
        """Return the bytes from `offset` on; fewer than `length` if the object ends.

        Raises:
            GoogleAPICallError: the read failed; other errors of the SDK are raised as well.
        """
        begins = offset - self._begins
        if not 0 <= begins <= len(self._window) - length:
            goes_on = bool(self._window) and 0 <= begins <= len(self._window)
            self._next_bytes = min(2 * self._next_bytes, MOST_BYTES) if goes_on else FIRST_BYTES
            self._window = self._fetch(offset, max(length, self._next_bytes))
            self._begins, begins = offset, 0
        return self._window[begins : begins + length]

    def _fetch(self, offset: int, length: int) -> bytes:
        last = offset + length - 1
        try:
            # A range has no checksum, because the server knows only that of the whole object.
            found: bytes = self._blob.download_as_bytes(
                start=offset, end=last, checksum=None, retry=None
            )
        except api.RequestRangeNotSatisfiable:
            return b""
        return found
