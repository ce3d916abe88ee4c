"""A clock for tests that only moves when it is told to."""

from datetime import datetime, timedelta


class ManualClock:
    """Stands still at `start` (UTC) until a call of `advance`."""

    def __init__(self, start: datetime) -> None:
        self._now = start

    def now(self) -> datetime:
        """Return the current instant of the clock."""
        return self._now

    def advance(self, by: timedelta) -> None:
        """Move the clock forward; it never goes back."""
        assert by >= timedelta(0)
        self._now += by
