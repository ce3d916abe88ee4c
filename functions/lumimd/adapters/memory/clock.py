"""A clock that only its owner moves."""

from datetime import datetime, timedelta


class ManualClock:
    """Stands still at `start` (UTC) until a call of `advance`."""

    def __init__(self, start: datetime) -> None:
        self._now = start

    def now(self) -> datetime:
        """The current instant of the clock."""
        return self._now

    def advance(self, by: timedelta) -> None:
        """Move on; clocks do not go back."""
        assert by >= timedelta(0)
        self._now += by
